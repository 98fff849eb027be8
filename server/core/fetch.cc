#include "core/fetch.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::core {

Fetch::Fetch(base::Timers* timers, const FetchRequest& request, absl::AnyInvocable<void()> done)
    : request_(request),
      deadline_(timers->now() + std::max(request.max_wait, kAtOnce)),
      done_(std::move(done)),
      timers_(timers),
      timer_(timers) {
  timer_.SetAt(deadline_, [this] { done_(); });
}

OpenRequest Fetch::ToOpen() const {
  OpenRequest open;
  open.credit.messages = request_.batch;
  open.credit.bytes = std::min(request_.max_bytes, FetchRequest::kMostBytes - request_.batch * kOverhead);
  open.max_batch = request_.batch;
  open.unary = true;
  open.wanted_until = deadline_;
  return open;
}

void Fetch::Deliver(absl::Span<const Delivery* const> batch) {
  messages_ += batch.size();
  for (const Delivery* delivery : batch) bytes_ += delivery->bytes;
  if (messages_ >= request_.batch || bytes_ >= ToOpen().credit.bytes) return EndSoon();
  filled_by_ = std::min(filled_by_, timers_->now() + kMostFilling);
  timer_.SetAt(std::min(timers_->now() + kQuiet, filled_by_), [this] { done_(); });
}

// Only the drain concerns a call that takes messages and says nothing.
void Fetch::Tell(Notice notice) {
  if (std::holds_alternative<DrainingNotice>(notice)) EndSoon();
}

void Fetch::Finish(absl::Status) {
  session_ = nullptr;
  EndSoon();
}

void Fetch::EndSoon() {
  timer_.SetAt(timers_->now(), [this] { done_(); });
}

}  // namespace sluice::core
