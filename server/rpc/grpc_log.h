#pragma once

namespace sluice::rpc {

// Where gRPC's own log lines go, for the whole process. Not thread-safe: while a server starts.
void SendGrpcLogToLog();  // base::Log; gRPC's errors as warnings, as it gets over them by itself
void DropGrpcLog();

}  // namespace sluice::rpc
