// bench_app ADDRESS sdk|batch|bare|confirmed|idle COUNT CREDIT [flags]: an app that acks COUNT messages of the consumer
// "bench", one by one or in batches, and has the acks confirmed if asked to, and says how long it took. `idle` keeps
// streams without credit open until SIGTERM.
#include <sluice/client.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/bench/bare_client.h"
#include "test/bench/latency.h"
#include "test/bench/measure.h"

namespace {

using sluice::bench::Measured;

struct Options {
  std::string address;
  std::string style;
  uint64_t count = 0;
  uint32_t credit = 0;
  uint32_t streams = 1;
  uint32_t consumers = 1;
  uint32_t hold = 0;
  bool connections = false;
  bool plain = false;
  bool resumable = false;
  bool latency = false;
  int concurrency = 1;
  int work_us = 0;
  pid_t server = 0;
};

// What all handlers count together.
class Counting {
 public:
  Counting(uint64_t count, pid_t server) : count_(count), stopwatch_(server) {}

  void Count(uint64_t handled) {
    std::lock_guard lock(mutex_);
    if (seen_ >= count_) return;
    if (seen_ == 0) stopwatch_.Start();
    seen_ += handled;
    if (seen_ >= count_) done_.set_value(stopwatch_.Stop(seen_));
  }
  Measured Await() { return done_.get_future().get(); }

 private:
  const uint64_t count_;
  sluice::bench::Stopwatch stopwatch_;
  std::mutex mutex_;
  uint64_t seen_ = 0;
  std::promise<Measured> done_;
};

Measured ConsumeWithSdk(const Options& options) {
  sluice::ClientOptions client_options;
  client_options.address = options.address;
  sluice::Client client(client_options);
  sluice::ConsumeOptions consume;
  consume.credit.messages = options.credit;
  consume.resumable = !options.plain;
  consume.concurrency = options.concurrency;
  Counting counting(options.count, options.server);
  std::vector<sluice::Consumption> consumptions;
  for (uint32_t i = 0; i < options.streams; ++i) {
    consumptions.push_back(
        options.style == "batch"
            ? client.ConsumeBatches("bench", consume, [&](sluice::Batch batch) { counting.Count(batch.size()); })
            : client.Consume("bench", consume, [&](sluice::Message&) {
                if (options.work_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(options.work_us));
                counting.Count(1);
              }));
  }
  const Measured measured = counting.Await();
  for (sluice::Consumption& consumption : consumptions) consumption.Stop();
  return measured;
}

// Of paced messages, which say when they were published.
void PrintLatencies(const Options& options) {
  sluice::ClientOptions client_options;
  client_options.address = options.address;
  sluice::Client client(client_options);
  sluice::bench::Latencies latencies;
  Counting counting(options.count, 0);
  auto consumption = client.Consume("bench", [&](sluice::Message& message) {
    latencies.Note(message.data());
    counting.Count(1);
  });
  counting.Await();
  consumption.Stop();
  latencies.Print();
}

sluice::bench::BareOptions Bare(const Options& options) {
  sluice::bench::BareOptions bare;
  bare.address = options.address;
  for (uint32_t i = 2; i <= options.consumers; ++i) bare.consumers.push_back("bench" + std::to_string(i));
  bare.streams = options.streams;
  bare.connections = options.connections;
  bare.credit = options.credit;
  bare.confirm = options.style == "confirmed";
  bare.hold = options.hold;
  bare.resumable = options.resumable;
  bare.server = options.server;
  return bare;
}

}  // namespace

int main(int argc, char** argv) {
  sluice::bench::AsShipped();
  Options options;
  CLI::App cli("An app that acks messages and says how long it took.");
  cli.add_option("ADDRESS", options.address)->required();
  cli.add_option("STYLE", options.style)
      ->required()
      ->check(CLI::IsMember({"sdk", "batch", "bare", "confirmed", "idle"}));
  cli.add_option("COUNT", options.count, "of all streams together")->required();
  cli.add_option("CREDIT", options.credit, "messages, of each stream")->required();
  cli.add_option("--streams", options.streams, "of each consumer");
  cli.add_option("--consumers", options.consumers, "bench, bench2, bench3, ...; only bare");
  cli.add_option("--hold", options.hold, "messages that each stream holds all the time; only bare");
  cli.add_flag("--connections", options.connections, "a connection for each stream; only bare and idle");
  cli.add_flag("--plain", options.plain, "without tokens; only sdk and batch");
  cli.add_flag("--resumable", options.resumable, "with tokens; only bare");
  cli.add_flag("--latency", options.latency, "print how long each message took since it was published; only sdk");
  cli.add_option("--concurrency", options.concurrency, "handlers; only sdk");
  cli.add_option("--work-us", options.work_us, "how long a handler takes; only sdk");
  cli.add_option("--server", options.server, "the process id whose CPU time is measured");
  CLI11_PARSE(cli, argc, argv);

  if (options.style == "idle") {
    sluice::bench::IdleBare(Bare(options), sluice::bench::BlockEndSignals());
    return 0;
  }
  if (options.latency) {
    PrintLatencies(options);
    return 0;
  }
  const bool sdk = options.style == "sdk" || options.style == "batch";
  Print(sdk ? ConsumeWithSdk(options) : sluice::bench::ConsumeBare(Bare(options), options.count));
}
