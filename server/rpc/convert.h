#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/app_stream.h"
#include "core/consumer.h"
#include "core/daemon.h"
#include "core/delivery.h"
#include "core/drain_report.h"
#include "grpcpp/support/status.h"
#include "sluice/v1/admin.pb.h"
#include "sluice/v1/consumer.pb.h"

// What core says, in the words of the contract. Each function overwrites the whole of `out`. The other direction, which
// has to distrust what it reads, is in requests.h.
namespace sluice::rpc {

google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

// The hot path: assigns into the strings that `out` has, so that a reused message allocates nothing.
void ToProto(const core::Delivery& delivery, v1::Delivery* out);

// `server` is how the daemon names itself in `Opened`.
void ToProto(const core::Notice& notice, const std::string& server, v1::ConsumeResponse* out);
void ToProto(const core::DrainReport& report, v1::DrainReport* out);
void ToProto(const core::Daemon::Report& report, v1::WaitDrainedResponse* out);
void ToProto(const core::Consumer& consumer, v1::Consumer* out);

grpc::Status ToGrpc(const absl::Status& status);

}  // namespace sluice::rpc
