#pragma once

#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

// Where the messages of an Inbox go. Called by threads of cnats's, one at a time, which must not be held up: one of
// them reads all that comes. Kept until OnEnd() has returned, even if the Inbox is gone before.
class InboxSink {
 public:
  virtual ~InboxSink() = default;
  virtual void OnMessage(NatsPtr<natsMsg> msg) = 0;
  // The last call: it was drained or destroyed, or the connection was closed for good.
  virtual void OnEnd() = 0;
};

}  // namespace sluice::jetstream
