// storm_app: an app of the storm, as a user would write it with the C++ client. Just before each ack it appends a line that says what it has done:
//   NUMBER KEY SEQUENCE NUM_DELIVERED STORED_US BEGIN_US END_US PID
// One write() a line, so that a line is there though its writer is killed right after, and those of several apps do not mix. SIGTERM drains it.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <thread>

#include <sluice/client.h>

#include "CLI/CLI.hpp"

namespace {

struct Options {
  std::string consumer = "storm";
  std::string handled;
  int concurrency = 16;
  int work_us = 2000;
  int drain_ms = 0;  // 0: the daemon's
};

int64_t Micros(std::chrono::system_clock::time_point at) {
  return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
}

// Half to one and a half of what is asked for, differently for each message and the same for each run.
std::chrono::microseconds Work(const Options& options, uint64_t sequence) {
  const uint64_t spread = (sequence * 2654435761u) % 1000;
  return std::chrono::microseconds(options.work_us / 2 + options.work_us * spread / 1000);
}

void Tell(int file, const sluice::Message& message, int64_t begin_us) {
  unsigned long number = 0;
  unsigned long key = 0;
  std::sscanf(std::string(message.data()).c_str(), "%lu %lu", &number, &key);
  char line[192];
  const int size = std::snprintf(
      line, sizeof(line), "%lu %lu %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " %d\n", number, key,
      message.stream_sequence(), message.num_delivered(), Micros(message.timestamp()), begin_us,
      Micros(std::chrono::system_clock::now()), getpid());
  if (write(file, line, size) != size) std::perror("storm_app: cannot tell what was handled");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App cli("An app of the storm");
  cli.add_option("--consumer", options.consumer);
  cli.add_option("--handled", options.handled)->required();
  cli.add_option("--concurrency", options.concurrency);
  cli.add_option("--work-us", options.work_us);
  cli.add_option("--drain-ms", options.drain_ms);
  CLI11_PARSE(cli, argc, argv);
  const int file = open(options.handled.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    std::perror(options.handled.c_str());
    return 1;
  }

  sluice::Client client;
  sluice::ConsumeOptions consume;
  consume.concurrency = options.concurrency;
  consume.on_error = [](const grpc::Status& status) { std::fprintf(stderr, "%s\n", status.error_message().c_str()); };
  auto consumption = client.Consume(options.consumer, consume, [&](sluice::Message& message) {
    const int64_t begin_us = Micros(std::chrono::system_clock::now());
    std::this_thread::sleep_for(Work(options, message.stream_sequence()));
    Tell(file, message, begin_us);
    return sluice::Ack();
  });
  std::optional<std::chrono::milliseconds> timeout;
  if (options.drain_ms > 0) timeout = std::chrono::milliseconds(options.drain_ms);
  return sluice::RunUntilSignal(consumption, timeout).completed ? 0 : 1;
}
