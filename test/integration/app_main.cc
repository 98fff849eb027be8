// integration_app: an app as a user would write it with the C++ client. Before each verdict it appends a line to the
// file of what was handled, so that a test can account for every message. SIGTERM drains it; exit 0 if that went well.
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>

#include <sluice/client.h>

#include "CLI/CLI.hpp"
#include "test/integration/handled.h"
#include "test/integration/told.h"

namespace {

using sluice::integration::Handled;
using sluice::integration::HandledWriter;
using sluice::integration::NowMicros;
using sluice::integration::ToldWriter;

constexpr uint64_t kNakEvery = 10;

struct Options {
  std::string address;
  std::string consumer;
  std::string handled_file;
  std::string told_file;
  std::string mode = "quick";
  int work_ms = 0;
  int concurrency = 1;
  uint32_t credit = 0;
};

Handled Describe(const sluice::Message& message) {
  Handled handled;
  handled.pid = getpid();
  handled.number = std::strtoull(std::string(message.data()).c_str(), nullptr, 10);
  handled.stream_sequence = message.stream_sequence();
  handled.num_delivered = message.num_delivered();
  handled.stored_us =
      std::chrono::duration_cast<std::chrono::microseconds>(message.timestamp().time_since_epoch()).count();
  handled.handled_us = NowMicros();
  return handled;
}

sluice::Handler MakeHandler(const Options& options, HandledWriter& writer, const ToldWriter& told) {
  if (options.mode == "hung") {
    return [](sluice::Message&) {
      std::promise<void>().get_future().wait();  // for ever
      return sluice::Ack();
    };
  }
  return [&](sluice::Message& message) {
    const int64_t begin_us = NowMicros();
    std::this_thread::sleep_for(std::chrono::milliseconds(options.work_ms));  // the work
    const Handled handled = Describe(message);
    const bool is_tenth = handled.number % kNakEvery == 0;
    if (options.mode == "crash" && is_tenth) _exit(1);
    const bool lasts = options.mode == "poison";
    const bool fails = options.mode == "nak-all" || (options.mode != "quick" && options.mode != "crash" && is_tenth &&
                                                     (lasts || handled.num_delivered == 1));
    if (options.mode == "spans") {
      char span[128];
      std::snprintf(span, sizeof(span), "span-%s-%lu-%ld-%d-%lu", std::string(message.key()).c_str(),
                    handled.stream_sequence, begin_us, fails ? 0 : 1, handled.num_delivered);
      told.Write(span);
    }
    if (fails) return sluice::Nak();
    writer.Write(handled);
    return sluice::Ack();
  };
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App cli("An app for integration tests");
  cli.add_option("--address", options.address)->required();
  cli.add_option("--consumer", options.consumer)->required();
  cli.add_option("--handled", options.handled_file)->required();
  cli.add_option("--told", options.told_file)->required();
  cli.add_option("--mode", options.mode)
      ->check(CLI::IsMember({"quick", "hung", "nak-some", "nak-all", "poison", "crash", "spans"}));
  cli.add_option("--work-ms", options.work_ms);
  cli.add_option("--concurrency", options.concurrency);
  cli.add_option("--credit", options.credit);
  CLI11_PARSE(cli, argc, argv);

  HandledWriter writer(options.handled_file);
  ToldWriter told(options.told_file);
  sluice::ClientOptions client_options;
  client_options.address = options.address;
  client_options.first_retry = std::chrono::milliseconds(20);
  client_options.longest_retry = std::chrono::milliseconds(50);
  sluice::Client client(client_options);
  sluice::ConsumeOptions consume;
  consume.concurrency = options.concurrency;
  consume.credit.messages = options.credit;
  consume.on_state = [&](sluice::State state, const std::string&) { told.Write(sluice::ToString(state)); };
  consume.on_draining = [&](const sluice::Draining&) { told.Write("draining"); };
  consume.on_error = [](const grpc::Status& status) { std::fprintf(stderr, "%s\n", status.error_message().c_str()); };
  auto consumption = client.Consume(options.consumer, consume, MakeHandler(options, writer, told));
  const sluice::DrainReport report = sluice::RunUntilSignal(consumption);
  return report.completed ? 0 : 1;
}
