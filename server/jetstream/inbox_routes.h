#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "jetstream/inbox_sink.h"
#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

// Which inbox of a natsConnection a message is for, so that the thread that reads it can bring it there. A message
// does not say that: what a consumer delivers has its own subject, and names the consumer in its ack subject; all else
// comes with the inbox's.
//
// What is left to cnats comes later than what is not. So that nothing overtakes, all is left to it from the first
// message on of which it is not clear where it belongs: an ack subject that an account's import has rewritten, or of a
// consumer that two inboxes pull from.
//
// Shared by NatsConnection and cnats's threads. Any thread; the lock is contended only when inboxes come and go.
class InboxRoutes {
 public:
  // `base`: unique, with a dot at its end
  explicit InboxRoutes(std::string base) : base_(std::move(base)) {}

  // The number of a new inbox; never used again. `consumer`: "<stream>.<consumer>", or empty.
  uint64_t Open(std::shared_ptr<InboxSink> sink, const std::string& consumer);
  // "<base><number>."
  std::string PrefixOf(uint64_t number) const;
  // The last thing that the sink hears of is its end, once.
  void Close(uint64_t number);

  // Gives the message to its inbox, or leaves it to the caller.
  void Deliver(NatsPtr<natsMsg>& msg);

 private:
  struct Route {
    std::shared_ptr<InboxSink> sink;  // null: closed
    std::string consumer;
  };

  InboxSink* FindByNumber(absl::string_view subject) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  InboxSink* FindByConsumer(absl::string_view consumer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string base_;
  absl::Mutex mutex_;
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Route> routes_ ABSL_GUARDED_BY(mutex_);  // by number; as many as inboxes were opened: few
  absl::flat_hash_map<std::string, uint64_t> consumers_ ABSL_GUARDED_BY(mutex_);  // their numbers
};

}  // namespace sluice::jetstream
