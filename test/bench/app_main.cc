// bench_app ADDRESS sdk|batch|bare|confirmed COUNT CREDIT: an app that acks COUNT messages of the consumer "bench", one
// by one or in batches, and has the acks confirmed if asked to, and says how long it took.
#include <algorithm>
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
class Counting {
 public:
  explicit Counting(uint64_t count) : left_(count) {}

  void Count(uint64_t handled) {
    if (left_ == 0) return;
    if (first_ == Clock::time_point()) first_ = Clock::now();
    left_ -= std::min(left_, handled);
    if (left_ > 0) return;
    last_ = Clock::now();
    done_.set_value();
  }
  double Await() {
    done_.get_future().wait();
    return std::chrono::duration<double>(last_ - first_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  uint64_t left_;
  Clock::time_point first_;
  Clock::time_point last_;
  std::promise<void> done_;
};

double ConsumeWithSdk(const std::string& address, uint64_t count, uint32_t credit, bool in_batches) {
  sluice::ClientOptions client_options;
  client_options.address = address;
  sluice::Client client(client_options);
  sluice::ConsumeOptions options;
  options.credit.messages = credit;
  Counting counting(count);
  auto consumption =
      in_batches ? client.ConsumeBatches("bench", options, [&](sluice::Batch batch) { counting.Count(batch.size()); })
                 : client.Consume("bench", options, [&](sluice::Message&) { counting.Count(1); });
  const double seconds = counting.Await();
  consumption.Stop();
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_app ADDRESS sdk|batch|bare|confirmed COUNT CREDIT\n");
    return 78;
  }
  sluice::bench::AsShipped();
  const std::string address = argv[1];
  const uint64_t count = std::strtoull(argv[3], nullptr, 10);
  const auto credit = static_cast<uint32_t>(std::strtoul(argv[4], nullptr, 10));
  const std::string style = argv[2];
  const double seconds = style == "sdk" || style == "batch"
                             ? ConsumeWithSdk(address, count, credit, style == "batch")
                             : sluice::bench::ConsumeBare(address, count, credit, style == "confirmed");
  std::printf("{\"messages\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", count, seconds,
              sluice::bench::CpuSeconds());
}
