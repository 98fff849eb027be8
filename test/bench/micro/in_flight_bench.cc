#include <benchmark/benchmark.h>

#include <deque>

#include "core/in_flight.h"

namespace sluice::core {
namespace {

// The slot table with so many deliveries in it: one more comes, one is looked up by its id and goes.
void BM_InFlight(benchmark::State& state) {
  InFlight in_flight;
  std::deque<uint64_t> ids;
  for (int64_t i = 0; i < state.range(0); ++i) ids.push_back(in_flight.Add(Message())->id);
  for (auto _ : state) {
    ids.push_back(in_flight.Add(Message())->id);
    in_flight.Remove(in_flight.Find(ids.front()));
    ids.pop_front();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_InFlight)->Arg(10)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace sluice::core
