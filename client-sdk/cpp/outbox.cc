#include "client-sdk/cpp/outbox.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

namespace sluice::internal {
namespace {

using google::protobuf::util::TimeUtil;

void Fill(v1::SettleRun& run, const Verdict& verdict) {
  switch (verdict.kind()) {
    case Verdict::Kind::kAck:
      run.mutable_ack();
      break;
    case Verdict::Kind::kNak:
      run.mutable_nak();
      if (verdict.delay().count() > 0) {
        *run.mutable_nak()->mutable_delay() = TimeUtil::MillisecondsToDuration(verdict.delay().count());
      }
      break;
    case Verdict::Kind::kTerm:
      run.mutable_term()->set_reason(verdict.reason());
      break;
  }
}

bool Is(const v1::SettleRun& run, const Verdict& verdict) {
  switch (verdict.kind()) {
    case Verdict::Kind::kAck:
      return run.has_ack();
    case Verdict::Kind::kNak:
      return run.has_nak() && TimeUtil::DurationToMilliseconds(run.nak().delay()) == verdict.delay().count();
    case Verdict::Kind::kTerm:
      return run.has_term() && run.term().reason() == verdict.reason();
  }
  return false;
}

}  // namespace

void Outbox::Open(v1::ConsumeRequest open) {
  taken_ += queue_.size();  // ordinals never come twice
  queue_.clear();
  in_flight_ = finish_ = finished_ = closed_ = false;
  Add(std::move(open));
}

void Outbox::AddVerdict(uint64_t id, const Verdict& verdict) {
  v1::Settle& settle = BackSettle();
  const bool same = settle.runs_size() > 0 && Is(settle.runs(settle.runs_size() - 1), verdict);
  v1::SettleRun& run = same ? *settle.mutable_runs(settle.runs_size() - 1) : *settle.add_runs();
  if (!same) Fill(run, verdict);
  run.add_ids(id);
  ++back_ids_;
}

uint64_t Outbox::AddInProgress(uint64_t id) {
  v1::Settle& settle = BackSettle();
  const bool same = settle.runs_size() > 0 && settle.runs(settle.runs_size() - 1).has_in_progress();
  v1::SettleRun& run = same ? *settle.mutable_runs(settle.runs_size() - 1) : *settle.add_runs();
  if (!same) run.mutable_in_progress();
  run.add_ids(id);
  ++back_ids_;
  return back();
}

void Outbox::Add(v1::ConsumeRequest request) {
  queue_.push_back(std::move(request));
  back_ids_ = 0;
}

v1::Settle& Outbox::BackSettle() {
  if (queue_.empty() || !queue_.back().has_settle() || back_ids_ >= kMaxIds) Add({});
  return *queue_.back().mutable_settle();
}

Outbox::Step Outbox::Next() {
  if (in_flight_ || finished_ || closed_) return Step::kNothing;
  if (!queue_.empty()) {
    request_ = std::move(queue_.front());
    queue_.pop_front();
    if (queue_.empty()) back_ids_ = 0;
    ++taken_;
    in_flight_ = true;
    return Step::kWrite;
  }
  if (finish_) {
    finished_ = in_flight_ = true;
    return Step::kWritesDone;
  }
  return Step::kNothing;
}

}  // namespace sluice::internal
