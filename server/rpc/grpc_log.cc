#include "rpc/grpc_log.h"

#include "base/log.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"

namespace sluice::rpc {

void SendGrpcLogToLog() {
  gpr_set_log_function([](gpr_log_func_args* line) {
    const auto severity = line->severity == GPR_LOG_SEVERITY_ERROR ? base::Severity::kWarning : base::Severity::kDebug;
    base::Log(severity, "gRPC", {{"detail", line->message}, {"file", line->file}, {"line", line->line}});
  });
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel level, const char* file, int line,
                                     const std::string& message) {
    const auto severity = level >= google::protobuf::LOGLEVEL_ERROR ? base::Severity::kWarning : base::Severity::kDebug;
    base::Log(severity, "protobuf", {{"detail", message}, {"file", file}, {"line", line}});
  });
}

void DropGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace sluice::rpc
