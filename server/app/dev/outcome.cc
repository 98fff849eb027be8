#include "app/dev/outcome.h"

#include "absl/strings/str_cat.h"

namespace sluice::dev {
namespace {

std::string Messages(uint64_t count) { return absl::StrCat(count, count == 1 ? " message" : " messages"); }

// Judges the drain by what the server says: after it, what waits for an ack is what the drain gave back (a NAKed
// message counts as waiting until it is delivered again); anything more would sit out ack_wait.
void JudgeDrain(const Evidence& e, std::vector<std::string>& faults) {
  if (!e.drained) return faults.push_back("the daemon was not drained");
  if (e.drain.deadline_exceeded) faults.push_back("the app held messages beyond the drain's deadline");
  if (e.drain.unsettled > 0)
    faults.push_back(absl::StrCat("the drain left ", Messages(e.drain.unsettled), " unsettled"));
  const uint64_t given_back = e.drain.released + e.drain.naked;
  if (e.num_ack_pending > given_back) {
    faults.push_back(absl::StrCat(Messages(e.num_ack_pending - given_back), " sit out ack_wait: num_ack_pending is ",
                                  e.num_ack_pending, ", the drain gave back ", given_back));
  }
}

}  // namespace

Outcome Judge(const Evidence& e) {
  Outcome outcome = {.published = e.confirmed,
                     .acked = e.app.acked,
                     .pending = e.num_pending + e.num_ack_pending,
                     .redelivered = e.app.redelivered,
                     .duplicates = e.app.duplicates,
                     .drain_ms = absl::ToInt64Milliseconds(e.drain_time),
                     .faults = e.trouble};
  std::vector<std::string>& faults = outcome.faults;
  if (!e.consumer_known) {
    if (faults.empty()) faults.push_back("JetStream did not tell what is left");
    return outcome;
  }
  const uint64_t accounted = e.app.handled + outcome.pending;
  if (accounted < e.confirmed) outcome.lost = e.confirmed - accounted;
  if (outcome.lost > 0) faults.push_back(absl::StrCat(Messages(outcome.lost), " lost"));
  if (e.app.duplicates > 0) faults.push_back(absl::StrCat(Messages(e.app.duplicates), " handled twice"));
  if (e.app.foreign > 0) faults.push_back(absl::StrCat(Messages(e.app.foreign), " in the stream of somebody else"));
  if (e.unconfirmed > 0) {
    faults.push_back(absl::StrCat(Messages(e.unconfirmed), " published without a PubAck: not known whether stored"));
  } else if (accounted > e.confirmed) {
    faults.push_back(absl::StrCat(Messages(accounted - e.confirmed), " handled, but still in the stream"));
  }
  JudgeDrain(e, faults);
  return outcome;
}

std::string Outcome::ToLine() const {
  return absl::StrCat("sluice dev: published=", published, " acked=", acked, " pending=", pending,
                      " redelivered=", redelivered, " lost=", lost, " duplicates=", duplicates, " drain_ms=", drain_ms);
}

}  // namespace sluice::dev
