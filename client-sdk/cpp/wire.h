#pragma once

#include <chrono>

#include "sluice/options.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::internal {

// From the contract's messages to the public types.
std::chrono::system_clock::time_point ToTimePoint(const google::protobuf::Timestamp& time);
State ToState(v1::State::Kind kind);
DrainReport ToReport(const v1::DrainReport& from);

}  // namespace sluice::internal
