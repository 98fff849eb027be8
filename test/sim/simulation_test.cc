// The whole of core under random mishaps, each seed a life of its own. SEEDS=n runs n seeds instead of 2,000, spread
// evenly over the mixes, from FIRST_SEED on; SEED=k replays one, in every mix or in the one that --gtest_filter names.
#include "test/sim/simulation.h"

#include <cstdlib>
#include <vector>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"

namespace sluice::test {
namespace {

constexpr FaultMix kMixes[] = {
    {.name = "Calm"},
    {.name = "OddApps", .odd_apps = true},
    {.name = "AppFaults", .apps = 1.5, .odd_apps = true},
    {.name = "NatsFaults", .nats = 0.7},
    {.name = "Drains", .drains = 0.7},
    {.name = "DrainsWithOddApps", .apps = 0.7, .drains = 0.5, .odd_apps = true},
    {.name = "DrainsWithNatsFaults", .nats = 0.7, .drains = 0.5},
    {.name = "Crashes", .apps = 0.3, .drains = 0.2, .kills = 0.4},
    {.name = "CrashesWithOddApps", .apps = 0.7, .kills = 0.6, .odd_apps = true},
    {.name = "CrashesWithNatsFaults", .nats = 0.4, .drains = 0.2, .kills = 0.4},
    {.name = "CrashesAndDeletes", .apps = 0.2, .deletes = 0.3, .kills = 0.5},
    {.name = "DeletedConsumer", .nats = 0.2, .deletes = 0.2, .drains = 0.2},
    {.name = "Everything", .apps = 0.7, .nats = 0.4, .deletes = 0.05, .drains = 0.3, .kills = 0.1, .odd_apps = true},
    {.name = "Exclusive", .apps = 0.3, .drains = 0.5, .exclusive = true},
    {.name = "ExclusiveCrashes", .apps = 0.3, .drains = 0.3, .kills = 0.3, .exclusive = true, .stalls = 0.3},
    {.name = "ExclusiveEverything",
     .apps = 0.5,
     .nats = 0.4,
     .drains = 0.3,
     .kills = 0.2,
     .odd_apps = true,
     .exclusive = true,
     .stalls = 0.2},
    {.name = "AckAll", .apps = 0.3, .drains = 0.5, .exclusive = true, .ack_all = true},
    {.name = "AckAllCrashes",
     .apps = 0.3,
     .drains = 0.3,
     .kills = 0.3,
     .exclusive = true,
     .stalls = 0.3,
     .ack_all = true},
    {.name = "AckAllNatsFaults",
     .apps = 0.5,
     .nats = 0.4,
     .drains = 0.3,
     .kills = 0.1,
     .odd_apps = true,
     .exclusive = true,
     .ack_all = true},
};
constexpr uint64_t kDefaultSeeds = 2000;  // over all mixes

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

class SimulationTest : public testing::TestWithParam<FaultMix> {};

TEST_P(SimulationTest, KeepsEveryPromise) {
  const uint64_t only = FromEnvironment("SEED", 0);
  const uint64_t seeds = only > 0 ? 1 : FromEnvironment("SEEDS", kDefaultSeeds) / std::size(kMixes);
  const uint64_t first = only > 0 ? only : FromEnvironment("FIRST_SEED", 1);
  uint64_t settled = 0;
  uint64_t drains = 0;
  uint64_t handled_twice = 0;
  uint64_t dead_letters = 0;
  uint64_t adopted = 0;
  uint64_t merged = 0;
  uint64_t refused = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    Simulation simulation(seed, GetParam());
    ASSERT_TRUE(simulation.Run()) << simulation.Explain();
    settled += simulation.settled();
    drains += simulation.ledger().drains();
    adopted += simulation.ledger().adopted();
    merged += simulation.ledger().merged();
    refused += simulation.ledger().refused();
    handled_twice += simulation.ledger().handled_twice();
    dead_letters += simulation.dead_letters();
  }
  EXPECT_GT(settled, 0u);
  EXPECT_GT(drains, 0u);
  EXPECT_TRUE(only > 0 || dead_letters > 0);
  RecordProperty("settled", static_cast<int>(settled));
  RecordProperty("drains", static_cast<int>(drains));
  RecordProperty("dead_letters", static_cast<int>(dead_letters));
  RecordProperty("adopted", static_cast<int>(adopted));
  RecordProperty("merged", static_cast<int>(merged));
  RecordProperty("refused", static_cast<int>(refused));
  if (GetParam().kills > 0 && seeds >= 100) {
    EXPECT_GT(adopted, seeds / 10);
    EXPECT_GT(refused, 0u);
  }
  RecordProperty("handled_twice_with_an_excuse", static_cast<int>(handled_twice));
}

// A seed that fails today fails tomorrow: nothing depends on addresses, hashes or the time of day.
TEST_P(SimulationTest, ReplaysExactly) {
  for (uint64_t seed : {7, 77, 777}) {
    Simulation first(seed, GetParam());
    Simulation second(seed, GetParam());
    Simulation other(seed + 1, GetParam());
    first.Run();
    second.Run();
    other.Run();
    EXPECT_EQ(first.trace_hash(), second.trace_hash()) << "seed " << seed;
    EXPECT_NE(first.trace_hash(), other.trace_hash()) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Mixes, SimulationTest, testing::ValuesIn(kMixes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sluice::test
