#include <benchmark/benchmark.h>

#include <string>

#include "token/codec.h"
#include "token/key_file.h"

namespace sluice {
namespace {

core::DeliveryToken Token() {
  core::DeliveryToken token;
  token.stream = "ORDERS";
  token.durable = "shipping";
  token.consumer_created_ns = token.timestamp_ns = 1'700'000'000'123'456'789;
  token.instance = 0xfedcba9876543210;
  token.id = 77 << 24;
  token.stream_sequence = token.consumer_sequence = 1'234'567;
  token.num_delivered = 1;
  token.reply = "$JS.ACK.ORDERS.shipping.1.1234567.1234567.1700000000123456789.0";
  token.numbers_at = 24;
  token.ack_deadline = absl::FromUnixNanos(1'700'000'030'000'000'000);
  token.bytes = 1'000;
  return token;
}

// What each message costs that an app can resume.
void BM_TokenSeal(benchmark::State& state) {
  const token::SealedTokenCodec codec(token::RandomKey(), 1);
  const core::DeliveryToken token = Token();
  std::string sealed;
  for (auto _ : state) {
    codec.Seal(token, &sealed);
    benchmark::DoNotOptimize(sealed.data());
  }
}
BENCHMARK(BM_TokenSeal);

}  // namespace
}  // namespace sluice
