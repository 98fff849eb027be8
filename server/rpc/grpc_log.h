#pragma once

namespace sluice::rpc {

// Where the log lines of gRPC and protobuf themselves go, for the whole process. Not thread-safe: while a server
// starts.
void SendGrpcLogToLog();  // base::Log; errors as warnings, as both get over them by themselves
void DropGrpcLog();

}  // namespace sluice::rpc
