#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "jetstream/inbox_routes.h"
#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

// A natsConnection and all subscriptions made on it, which are freed when it is closed and not before: cnats's reading
// thread uses a subscription without a reference of its own (natsConn_processMsg), so that one freed while messages
// arrive for it is written to after its end. Shared by Connection, its tasks and the inboxes. May block when the last
// of them goes.
class NatsConnection {
 public:
  explicit NatsConnection(NatsPtr<natsConnection> nats);
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;
  ~NatsConnection() { natsConnection_Close(nats_.get()); }  // waits for the reading thread

  natsConnection* get() const { return nats_.get(); }
  const std::shared_ptr<InboxRoutes>& routes() const { return routes_; }
  // Loop only.
  void Keep(NatsPtr<natsSubscription> subscription) { subscriptions_.push_back(std::move(subscription)); }

 private:
  const std::shared_ptr<InboxRoutes> routes_;  // outlives nats_, whose reading thread uses it
  const NatsPtr<natsConnection> nats_;
  std::vector<NatsPtr<natsSubscription>> subscriptions_;  // as many as inboxes were opened: few
};

}  // namespace sluice::jetstream
