#include "client-sdk/cpp/confirmations.h"

#include <utility>

namespace sluice::internal {

void Confirmations::Expect(uint64_t id, Waiter waiter, Dues& due) {
  if (closed_) {
    due.push_back({std::move(waiter), Outcome::kFailed});
    return;
  }
  Awaited& awaited = awaited_[id];
  awaited.given = true;
  awaited.waiter = std::move(waiter);
}

void Confirmations::OnResult(uint64_t id, Outcome outcome, Dues& due) {
  const auto found = awaited_.find(id);
  if (found == awaited_.end()) return;
  Awaited& awaited = found->second;
  if (awaited.progress > 0) {
    --awaited.progress;
    if (awaited.progress == 0 && !awaited.given) awaited_.erase(found);
    return;
  }
  due.push_back({std::move(awaited.waiter), outcome});
  awaited_.erase(found);
}

void Confirmations::OnOpened(const std::unordered_map<uint64_t, uint64_t>& resumed, Dues& due) {
  std::unordered_map<uint64_t, Awaited> before;
  before.swap(awaited_);
  for (auto& [id, awaited] : before) {
    if (!awaited.given) continue;
    if (const auto found = resumed.find(id); found != resumed.end()) {
      awaited.progress = 0;  // answered on the old stream, or never
      awaited_.emplace(found->second, std::move(awaited));
    } else {
      due.push_back({std::move(awaited.waiter), Outcome::kFailed});
    }
  }
}

void Confirmations::Close(Dues& due) {
  closed_ = true;
  OnOpened({}, due);
}

}  // namespace sluice::internal
