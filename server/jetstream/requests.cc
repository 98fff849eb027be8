#include "jetstream/requests.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace sluice::jetstream {

uint64_t Requests::Add(const void* owner, absl::Duration timeout, Callback callback) {
  const uint64_t id = ++last_id_;
  pending_.emplace(id, Pending{owner, timers_->now() + timeout, std::move(callback)});
  Arm();
  return id;
}

void Requests::End(uint64_t id, const absl::StatusOr<absl::string_view>& reply) {
  auto pending = pending_.extract(id);
  if (!pending.empty()) pending.mapped().callback(reply);
}

void Requests::EndAll(const absl::Status& status) {
  std::vector<uint64_t> ids;
  ids.reserve(pending_.size());
  for (const auto& [id, pending] : pending_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const uint64_t id : ids) End(id, status);
}

void Requests::Forget(const void* owner) {
  absl::erase_if(pending_, [owner](const auto& entry) { return entry.second.owner == owner; });
}

void Requests::Arm() {
  if (!sweep_.pending()) sweep_.SetAfter(kSweep, [this] { Sweep(); });
}

void Requests::Sweep() {
  std::vector<uint64_t> expired;
  for (const auto& [id, pending] : pending_) {
    if (pending.deadline <= timers_->now()) expired.push_back(id);
  }
  std::sort(expired.begin(), expired.end());
  for (const uint64_t id : expired) End(id, absl::DeadlineExceededError("NATS did not answer in time"));
  if (!pending_.empty()) Arm();
}

}  // namespace sluice::jetstream
