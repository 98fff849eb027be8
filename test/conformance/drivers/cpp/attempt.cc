#include "test/conformance/drivers/cpp/attempt.h"

#include <stdexcept>
#include <utility>

namespace sluice::conformance {

void Attempt::Run() {
  const Steps steps = script_.ForAttempt(message_);
  told_.Begin(message_);
  for (const Step& step : steps) Do(step);
  if (!is_decided_) Decide({"ack", ""});
  told_.End(message_, decided_.what, second_ ? &*second_ : nullptr);
}

void Attempt::Do(const Step& step) {
  if (step.what == "sleep") {
    if (script_.Sleep(step.Millis(), message_.stop_token())) OnCancelled();
  } else if (step.what == "hold") {
    Hold();
  } else if (step.what == "progress") {
    message_.InProgress();
  } else if (step.what == "again") {
    second_ = message_.Nak();
  } else {
    Decide(step);
  }
}

void Attempt::Hold() {
  const std::optional<Steps> steps = script_.AwaitRelease(message_.stream_sequence(), message_.stop_token());
  if (!steps) return OnCancelled();
  for (const Step& step : *steps) Do(step);
}

void Attempt::OnCancelled() { told_.Cancelled(message_); }

void Attempt::Decide(const Step& step) {
  decided_ = step;
  is_decided_ = true;
  if (!by_methods_) return;
  if (step.what == "ack") Settle(Ack());
  if (step.what == "nak") Settle(Nak());
  if (step.what == "retry") Settle(Nak(step.Millis()));
  if (step.what == "reject") Settle(Term(step.argument));
}

void Attempt::Settle(const Verdict& verdict) {
  if (!confirm_) {
    message_.Settle(verdict);
    return;
  }
  message_.Settle(verdict, [told = told_, sequence = message_.stream_sequence()](Outcome outcome) {
    told.Result(sequence, outcome);
  });
}

Verdict Attempt::Return() const {
  if (decided_.what == "throw") throw std::runtime_error("as the script says");
  if (by_methods_ || decided_.what == "forget") return Nak();
  if (decided_.what == "retry") throw RetryAfter(decided_.Millis());
  if (decided_.what == "reject") throw Reject(decided_.argument);
  return decided_.what == "nak" ? Nak() : Ack();
}

}  // namespace sluice::conformance
