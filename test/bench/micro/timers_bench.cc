#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "base/timers.h"
#include "core/lease_keeper.h"
#include "test/support/sim_clock.h"

namespace sluice {
namespace {

// The timers of so many consumers: one is set anew.
void BM_TimerSet(benchmark::State& state) {
  test::SimClock clock;
  base::Timers timers(&clock);
  std::vector<std::unique_ptr<base::Timer>> pending;
  for (int64_t i = 0; i < state.range(0); ++i) {
    pending.push_back(std::make_unique<base::Timer>(&timers));
    pending.back()->SetAfter(absl::Seconds(i + 1), [] {});
  }
  base::Timer timer(&timers);
  for (auto _ : state) timer.SetAfter(absl::Seconds(1), [] {});
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TimerSet)->Arg(1)->Arg(1'000);

class Extending final : public core::LeaseKeeper::Owner {
 public:
  bool ExtendLease(const core::Delivery&) override { return true; }
  void OnLeasesEnded(absl::Span<core::Delivery* const>) override {}
};

// The leases of so many messages: one is added and removed.
void BM_LeaseAddRemove(benchmark::State& state) {
  test::SimClock clock;
  base::Timers timers(&clock);
  Extending owner;
  core::LeaseKeeper leases(&timers, &owner, absl::Minutes(10));
  std::vector<core::Delivery> deliveries(static_cast<size_t>(state.range(0)));
  for (core::Delivery& delivery : deliveries) {
    delivery.ack_wait = absl::Seconds(30);
    leases.Add(&delivery, timers.now());
  }
  size_t next = 0;
  for (auto _ : state) {
    core::Delivery& delivery = deliveries[next++ % deliveries.size()];
    leases.Remove(&delivery);
    leases.Add(&delivery, timers.now());
  }
  state.SetItemsProcessed(state.iterations());
  for (core::Delivery& delivery : deliveries) leases.Remove(&delivery);
}
BENCHMARK(BM_LeaseAddRemove)->Arg(10)->Arg(100'000);

// All of them are extended, as each is in every half of its ack wait.
void BM_LeaseExtend(benchmark::State& state) {
  test::SimClock clock;
  base::Timers timers(&clock);
  Extending owner;
  core::LeaseKeeper leases(&timers, &owner, absl::Hours(10'000));
  std::vector<core::Delivery> deliveries(static_cast<size_t>(state.range(0)));
  for (core::Delivery& delivery : deliveries) {
    delivery.ack_wait = absl::Seconds(30);
    leases.Add(&delivery, timers.now());
  }
  for (auto _ : state) {
    clock.AdvanceTo(timers.NextDue());
    timers.RunDue();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  for (core::Delivery& delivery : deliveries) leases.Remove(&delivery);
}
BENCHMARK(BM_LeaseExtend)->Arg(10)->Arg(100'000);

}  // namespace
}  // namespace sluice
