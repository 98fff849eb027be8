// storm_app: an app of the storm, as a user would write it with the C++ client. Just before each ack it says in a line
// what it has done:
//   NUMBER KEY SEQUENCE NUM_DELIVERED STORED_US BEGIN_US END_US PID
// SIGTERM drains it, unless it is to be one that does not listen.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include <sluice/client.h>

#include "CLI/CLI.hpp"
#include "test/storm/app/handled_sink.h"

namespace {

using sluice::storm::HandledSink;
using std::chrono::system_clock;

struct Options {
  std::string consumer = "storm";
  std::string handled;
  int concurrency = 16;
  int work_us = 2000;
  int slow_every = 0;  // 0: none is slow
  int slow_us = 0;
  int count = 0;  // 0: for ever
  bool ignore_sigterm = false;
};

int64_t Micros(system_clock::time_point at) {
  return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
}

// Half to one and a half of what is asked for, differently for each message and the same for each run. Some may be
// slow.
std::chrono::microseconds Work(const Options& options, uint64_t sequence) {
  if (options.slow_every > 0 && sequence % options.slow_every == 0) return std::chrono::microseconds(options.slow_us);
  const uint64_t spread = (sequence * 2654435761u) % 1000;
  return std::chrono::microseconds(options.work_us / 2 + options.work_us * spread / 1000);
}

std::string Line(const sluice::Message& message, int64_t begin_us) {
  unsigned long number = 0;
  unsigned long key = 0;
  std::sscanf(std::string(message.data()).c_str(), "%lu %lu", &number, &key);
  char line[192];
  std::snprintf(line, sizeof(line), "%lu %lu %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " %d\n", number,
                key, message.stream_sequence(), message.num_delivered(), Micros(message.timestamp()), begin_us,
                Micros(system_clock::now()), getpid());
  return line;
}

// A message that could not be accounted for is not acked.
sluice::Verdict Handle(const Options& options, HandledSink& handled, sluice::Message& message) {
  const int64_t begin_us = Micros(system_clock::now());
  std::this_thread::sleep_for(Work(options, message.stream_sequence()));
  return handled.Write(Line(message, begin_us)) ? sluice::Ack() : sluice::Nak(std::chrono::seconds(1));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App cli("An app of the storm");
  cli.add_option("--consumer", options.consumer);
  cli.add_option("--handled", options.handled, "A path, or nats://host:port/subject")->required();
  cli.add_option("--concurrency", options.concurrency);
  cli.add_option("--work-us", options.work_us);
  cli.add_option("--slow-every", options.slow_every, "One of so many messages takes --slow-us");
  cli.add_option("--slow-us", options.slow_us);
  cli.add_option("--count", options.count, "Ends by itself after so many messages");
  cli.add_flag("--ignore-sigterm", options.ignore_sigterm);
  CLI11_PARSE(cli, argc, argv);
  const std::unique_ptr<HandledSink> handled = HandledSink::Open(options.handled);
  if (!handled) return 1;

  sluice::Client client;
  sluice::ConsumeOptions consume;
  consume.concurrency = options.concurrency;
  consume.on_error = [](const grpc::Status& status) { std::fprintf(stderr, "%s\n", status.error_message().c_str()); };
  if (options.count > 0) {
    sluice::Messages messages = client.Messages(options.consumer, consume);
    int left = options.count;
    for (sluice::Message& message : messages) {
      message.Settle(Handle(options, *handled, message));
      if (--left == 0) messages.StartDrain();
    }
    return messages.drain_report().completed ? 0 : 1;
  }
  auto consumption = client.Consume(options.consumer, consume,
                                    [&](sluice::Message& message) { return Handle(options, *handled, message); });
  if (options.ignore_sigterm) {
    signal(SIGTERM, SIG_IGN);
    consumption.Closed();
    return 0;
  }
  return sluice::RunUntilSignal(consumption).completed ? 0 : 1;
}
