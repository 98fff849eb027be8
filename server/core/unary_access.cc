#include "core/unary_access.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/consumer.h"

namespace sluice::core {

absl::StatusOr<uint64_t> UnaryAccess::Fetch(const FetchRequest& request, FetchCallback callback) {
  if (waiting_.size() >= consumer_->options().max_streams) {
    return absl::ResourceExhaustedError(
        absl::StrCat("consumer '", consumer_->options().name, "' has ", waiting_.size(),
                     " waiting fetches; take more messages with fewer calls, or raise max_streams"));
  }
  if (absl::Status status = fetched_.Open(); !status.ok()) return status;
  const uint64_t number = ++last_call_;
  auto fetch = std::make_unique<core::Fetch>(timers_, request, [this, number] { End(number); });
  // It may be given messages from within Open().
  core::Fetch* const stream = fetch.get();
  const OpenRequest open = fetch->ToOpen();
  waiting_.emplace(number, Waiting{std::move(fetch), request, std::move(callback)});
  absl::StatusOr<Session*> session = consumer_->Open(open, stream);
  if (!session.ok()) {
    waiting_.erase(number);
    return session.status();
  }
  stream->set_session(*session);
  return number;
}

void UnaryAccess::Cancel(uint64_t call) {
  auto node = waiting_.extract(call);
  if (node.empty()) return;
  if (Session* session = node.mapped().fetch->session()) session->OnHalfClosed();
}

void UnaryAccess::End(uint64_t call) {
  auto node = waiting_.extract(call);
  Waiting& waiting = node.mapped();
  FetchResult result;
  result.lease = LeaseFor(waiting.request);
  std::vector<const Delivery*> deliveries;
  if (Session* session = waiting.fetch->session()) {
    deliveries = fetched_.Take(session, result.lease);
    session->OnHalfClosed();
  }
  result.deliveries = deliveries;
  result.state = consumer_->state();
  result.state_detail = consumer_->state_detail();
  if (deliveries.empty() && consumer_->draining()) {
    result.status = absl::UnavailableError("the daemon is draining; call again, its successor takes over");
  }
  waiting.callback(result);
}

absl::Duration UnaryAccess::LeaseFor(const FetchRequest& request) const {
  const absl::Duration wanted = request.lease > absl::ZeroDuration() ? request.lease : consumer_->ack_wait();
  return std::min(wanted, consumer_->options().lease_max);
}

}  // namespace sluice::core
