// bench_stub_daemon SOCKET PAYLOAD_BYTES [flags]: the daemon with an upstream that costs nothing, until SIGTERM.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "base/event_loop.h"
#include "core/daemon.h"
#include "rpc/server.h"
#include "test/bench/measure.h"
#include "test/bench/stub_source.h"
#include "token/codec.h"
#include "token/key_file.h"

namespace {

struct Options {
  std::string socket;
  size_t payload_bytes = 0;
  std::string tcp;
  uint32_t consumers = 1;
  int ack_wait_ms = 30'000;
};

std::string Name(uint32_t number) { return number == 1 ? "bench" : "bench" + std::to_string(number); }

}  // namespace

int main(int argc, char** argv) {
  sluice::bench::AsShipped();
  Options options;
  CLI::App cli("The daemon with an upstream that costs nothing.");
  cli.add_option("SOCKET", options.socket)->required();
  cli.add_option("PAYLOAD_BYTES", options.payload_bytes)->required();
  cli.add_option("--tcp", options.tcp, "host:port, beside the socket");
  cli.add_option("--consumers", options.consumers, "bench, bench2, bench3, ...");
  cli.add_option("--ack-wait-ms", options.ack_wait_ms, "what the upstream says of its consumers");
  CLI11_PARSE(cli, argc, argv);

  const sigset_t signals = sluice::bench::BlockEndSignals();
  sluice::base::SteadyClock clock;
  sluice::base::EventLoop loop(&clock);
  const sluice::token::SealedTokenCodec tokens(sluice::token::RandomKey(), 1);
  sluice::bench::StubConnection connection;
  auto daemon = std::make_unique<sluice::core::Daemon>(&loop.timers());
  daemon->SetTokens(&tokens);
  for (uint32_t i = 1; i <= options.consumers; ++i) {
    sluice::core::ConsumerOptions consumer;
    consumer.name = consumer.durable = Name(i);
    consumer.stream = "BENCH";
    daemon->AddConsumer(consumer,
                        std::make_unique<sluice::bench::StubSource>(&loop, &connection, consumer, options.payload_bytes,
                                                                    absl::Milliseconds(options.ack_wait_ms)));
  }
  std::thread thread([&] { loop.Run(); });
  sluice::rpc::ServerOptions server_options;
  server_options.unix_socket = options.socket;
  server_options.tcp = options.tcp;
  server_options.drain_timeout = absl::Seconds(1);
  server_options.nats_status = [] { return sluice::rpc::NatsStatus(); };
  auto server = sluice::rpc::Server::Start(server_options, &loop, daemon.get());
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 78;
  }
  sluice::bench::ServeUntilSignal(signals);
  (*server)->Shutdown();
  connection.Stop();
  loop.Post([&] { daemon.reset(); });
  loop.Stop();
  thread.join();
}
