#pragma once

#include <memory>

#include "nats/nats.h"

namespace sluice::jetstream {

struct NatsDestroy {
  void operator()(natsMsg* msg) const { natsMsg_Destroy(msg); }
  void operator()(natsOptions* options) const { natsOptions_Destroy(options); }
  void operator()(natsConnection* connection) const { natsConnection_Destroy(connection); }
  void operator()(natsSubscription* subscription) const { natsSubscription_Destroy(subscription); }
  void operator()(natsInbox* inbox) const { natsInbox_Destroy(inbox); }
};

// Owns one object of cnats.
template <typename T>
using NatsPtr = std::unique_ptr<T, NatsDestroy>;

}  // namespace sluice::jetstream
