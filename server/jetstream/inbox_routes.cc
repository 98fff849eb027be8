#include "jetstream/inbox_routes.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "jetstream/ack_subject.h"

namespace sluice::jetstream {

uint64_t InboxRoutes::Open(std::shared_ptr<InboxSink> sink, const std::string& consumer) {
  absl::MutexLock lock(&mutex_);
  const uint64_t number = routes_.size();
  if (!consumer.empty() && !consumers_.emplace(consumer, number).second) given_up_ = true;
  routes_.push_back({std::move(sink), consumer});
  return number;
}

std::string InboxRoutes::PrefixOf(uint64_t number) const { return absl::StrCat(base_, number, "."); }

void InboxRoutes::Close(uint64_t number) {
  std::shared_ptr<InboxSink> sink;
  {
    absl::MutexLock lock(&mutex_);
    Route& route = routes_[number];
    sink.swap(route.sink);
    const auto it = consumers_.find(route.consumer);
    if (it != consumers_.end() && it->second == number) consumers_.erase(it);
  }
  if (sink != nullptr) sink->OnEnd();
}

void InboxRoutes::Deliver(NatsPtr<natsMsg>& msg) {
  const char* subject = natsMsg_GetSubject(msg.get());
  const char* reply = natsMsg_GetReply(msg.get());
  absl::MutexLock lock(&mutex_);
  if (given_up_) return;
  InboxSink* sink = FindByNumber(subject);
  if (sink == nullptr && reply != nullptr) {
    sink = FindByConsumer(ConsumerOf(reply));
    given_up_ = sink == nullptr && !consumers_.empty();
  }
  if (sink != nullptr) sink->OnMessage(std::move(msg));
}

InboxSink* InboxRoutes::FindByNumber(absl::string_view subject) {
  if (!absl::StartsWith(subject, base_)) return nullptr;
  subject.remove_prefix(base_.size());
  uint64_t number = 0;
  const bool is_number = absl::SimpleAtoi(subject.substr(0, subject.find('.')), &number);
  return is_number && number < routes_.size() ? routes_[number].sink.get() : nullptr;
}

InboxSink* InboxRoutes::FindByConsumer(absl::string_view consumer) {
  const auto it = consumers_.find(consumer);
  return it == consumers_.end() ? nullptr : routes_[it->second].sink.get();
}

}  // namespace sluice::jetstream
