#include "client-sdk/cpp/wire.h"

#include <google/protobuf/util/time_util.h>

namespace sluice::internal {

using google::protobuf::util::TimeUtil;

std::chrono::system_clock::time_point ToTimePoint(const google::protobuf::Timestamp& time) {
  return std::chrono::system_clock::time_point(std::chrono::nanoseconds(TimeUtil::TimestampToNanoseconds(time)));
}

State ToState(v1::State::Kind kind) {
  switch (kind) {
    case v1::State::KIND_NATS_DOWN:
      return State::kNatsDown;
    case v1::State::KIND_CONSUMER_MISSING:
      return State::kConsumerMissing;
    case v1::State::KIND_CONSUMER_INVALID:
      return State::kConsumerInvalid;
    case v1::State::KIND_PAUSED:
      return State::kPaused;
    case v1::State::KIND_PINNED_ELSEWHERE:
      return State::kPinnedElsewhere;
    case v1::State::KIND_PROBING:
      return State::kProbing;
    default:
      return State::kServing;
  }
}

DrainReport ToReport(const v1::DrainReport& from) {
  DrainReport report;
  report.completed = true;
  report.deadline_exceeded = from.deadline_exceeded();
  report.awaited = from.awaited();
  report.acked = from.acked();
  report.terminated = from.terminated();
  report.naked = from.naked();
  report.expired = from.expired();
  report.late = from.late();
  report.released = from.released();
  report.unsettled = from.unsettled();
  report.dead_lettered = from.dead_lettered();
  for (const v1::PhaseDuration& phase : from.phases()) {
    report.phases.emplace_back(phase.phase(),
                               std::chrono::microseconds(TimeUtil::DurationToMicroseconds(phase.duration())));
  }
  return report;
}

}  // namespace sluice::internal
