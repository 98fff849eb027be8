// bench_stub_daemon SOCKET PAYLOAD_BYTES: the daemon with an upstream that costs nothing, until SIGTERM.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/event_loop.h"
#include "core/daemon.h"
#include "rpc/server.h"
#include "test/bench/measure.h"
#include "test/bench/stub_source.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_stub_daemon SOCKET PAYLOAD_BYTES\n");
    return 78;
  }
  sluice::bench::AsShipped();
  const sigset_t signals = sluice::bench::BlockEndSignals();
  sluice::base::SteadyClock clock;
  sluice::base::EventLoop loop(&clock);
  auto daemon = std::make_unique<sluice::core::Daemon>(&loop.timers());
  sluice::core::ConsumerOptions options;
  options.name = options.durable = "bench";
  options.stream = "BENCH";
  daemon->AddConsumer(options, std::make_unique<sluice::bench::StubSource>(&loop, std::strtoul(argv[2], nullptr, 10)));
  std::thread thread([&] { loop.Run(); });
  sluice::rpc::ServerOptions server_options;
  server_options.unix_socket = argv[1];
  server_options.drain_timeout = absl::Seconds(1);
  server_options.nats_status = [] { return sluice::rpc::NatsStatus(); };
  auto server = sluice::rpc::Server::Start(server_options, &loop, daemon.get());
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 78;
  }
  sluice::bench::ServeUntilSignal(signals);
  (*server)->Shutdown();
  loop.Post([&] { daemon.reset(); });
  loop.Stop();
  thread.join();
}
