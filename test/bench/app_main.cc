// bench_app ADDRESS sdk|bare|confirmed COUNT CREDIT: an app that acks COUNT messages of the consumer "bench", and has
// the acks confirmed if asked to, and says how long it took.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include <sluice/client.h>

#include "test/bench/bare_client.h"
#include "test/bench/measure.h"

namespace {

// One handler thread that acks and counts.
double ConsumeWithSdk(const std::string& address, uint64_t count, uint32_t credit) {
  using Clock = std::chrono::steady_clock;
  sluice::ClientOptions client_options;
  client_options.address = address;
  sluice::Client client(client_options);
  sluice::ConsumeOptions options;
  options.credit.messages = credit;
  Clock::time_point first;
  Clock::time_point last;
  uint64_t handled = 0;
  std::promise<void> done;
  auto consumption = client.Consume("bench", options, [&](sluice::Message&) {
    if (handled++ == 0) first = Clock::now();
    if (handled == count) {
      last = Clock::now();
      done.set_value();
    }
    return sluice::Ack();
  });
  done.get_future().wait();
  consumption.Stop();
  return std::chrono::duration<double>(last - first).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_app ADDRESS sdk|bare|confirmed COUNT CREDIT\n");
    return 78;
  }
  sluice::bench::AsShipped();
  const std::string address = argv[1];
  const uint64_t count = std::strtoull(argv[3], nullptr, 10);
  const auto credit = static_cast<uint32_t>(std::strtoul(argv[4], nullptr, 10));
  const std::string style = argv[2];
  const double seconds = style == "sdk" ? ConsumeWithSdk(address, count, credit)
                                        : sluice::bench::ConsumeBare(address, count, credit, style == "confirmed");
  std::printf("{\"messages\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", count, seconds,
              sluice::bench::CpuSeconds());
}
