// bench_floor ADDRESS PAYLOAD_BYTES WINDOW: the bare gRPC server, until SIGTERM.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <grpcpp/grpcpp.h>

#include "test/bench/floor_service.h"
#include "test/bench/measure.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_floor ADDRESS PAYLOAD_BYTES WINDOW\n");
    return 78;
  }
  sluice::bench::AsShipped();
  const sigset_t signals = sluice::bench::BlockEndSignals();
  sluice::bench::FloorService service(std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 78;
  sluice::bench::ServeUntilSignal(signals);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}
