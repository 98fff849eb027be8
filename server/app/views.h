#pragma once

#include <string>

#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::app {

// What AdminService answers, as a person likes to read it, and as a program does.

// `before`, if not null, is an earlier answer, `apart` before this one: rates are then over that time, else since the
// start.
std::string StatusView(const v1::Status& status, absl::Time now, const v1::Status* before, absl::Duration apart);

// The phases of the drain, and what became of the messages.
std::string DrainView(const v1::WaitDrainedResponse& response);

// With the field names of the contract, and with the fields that are 0.
std::string JsonView(const google::protobuf::Message& message, bool one_line);

}  // namespace sluice::app
