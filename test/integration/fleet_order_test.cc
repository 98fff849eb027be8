// Order in a fleet, with real processes: three pods on one durable; restarts, kills and a stall. With ordering:
// exclusive one of them is the active one; with ordering: key each keeps its own messages in order.
// SLUICE_FLEET_SECONDS=60 makes the long tests as long as a release wants them.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "jetstream/server_version.h"
#include "test/integration/fixture.h"
#include "test/integration/span.h"

namespace sluice::integration {
namespace {

using sluice::v1::State;

constexpr int kPods = 3;
constexpr int kKeys = 50;
constexpr absl::Duration kBetweenRestarts = absl::Seconds(2);
constexpr int kKillEvery = 3;  // restarts
constexpr int kDefaultSeconds = 20;

bool PinsClients(const std::string& binary) {
  return jetstream::VersionAtLeast(test::NatsServerVersion(binary), 2, 11, 0);
}

// What the runs of all handlers come to.
struct Findings {
  std::set<uint64_t> acked;  // stream sequences
  int runs = 0;
  int failures = 0;
  int reruns = 0;  // of what a handler had acked before
  int inversions = 0;
  int overlaps = 0;
};

std::ostream& operator<<(std::ostream& out, const Findings& found) {
  return out << found.runs << " runs, " << found.failures << " failures, " << found.reruns << " reruns, "
             << found.inversions << " inversions, " << found.overlaps << " overlaps";
}

class FleetTest : public IntegrationTest {
 protected:
  struct Pod {
    TempDir dir;
    std::unique_ptr<DaemonProcess> daemon;
  };
  // Within what the messages of a key are handled one at a time, and in order.
  enum class Scope { kFleet, kPod };

  void SetUp() override {
    options_.ack_wait = absl::Seconds(3);
    options_.more =
        "    ordering: exclusive\n    key: {subject_token: 2}\n    exclusive: {priority_timeout: 2s}\n"
        "    redelivery: {initial: 20ms, max: 100ms}\n    resume_window: 1s\n";
  }
  void TearDown() override {
    if (HasFailure()) {
      for (const Pod& pod : pods_) std::cout << "--- a pod\n" << Tail(ReadFile(pod.dir / "daemon.log"));
    }
    apps_.clear();
    pods_.clear();
    IntegrationTest::TearDown();
  }
  static std::string Tail(const std::string& text) {
    return text.substr(text.size() - std::min<size_t>(text.size(), 6000));
  }

  bool StartPod(Pod& pod) {
    pod.daemon = std::make_unique<DaemonProcess>(pod.dir.path(), options_);
    const absl::Status serving = pod.daemon->AwaitServing();
    EXPECT_TRUE(serving.ok()) << serving;
    return serving.ok();
  }
  bool StartFleet(int apps_per_pod = 1) {
    for (int i = 0; i < kPods; ++i) {
      if (!StartPod(pods_.emplace_back())) return false;
      for (int app = 0; app < apps_per_pod; ++app) {
        apps_.push_back(std::make_unique<AppProcess>(dir_.path(), pods_.back().daemon->address(), kDurable,
                                                     AppOptions{.mode = "spans", .work_ms = 2, .concurrency = 8}));
        pod_of_app_[apps_.back()->pid()] = i;
      }
    }
    return true;
  }
  void PublishRound() {
    for (int key = 0; key < kKeys; ++key) {
      ASSERT_TRUE(admin_->PublishNumbers(absl::StrCat("s.", key), 1, ++published_).ok());
    }
  }
  // Rounds, as fast as the apps are done with them, until the time has come.
  void PublishUntil(absl::Time end) {
    do {
      PublishRound();
      const uint64_t backlog = 4 * kKeys;
      Eventually([&] { return absl::Now() >= end || CountAcked() + backlog >= published_; });
    } while (absl::Now() < end);
  }
  State::Kind StateOf(Pod& pod) { return pod.daemon->Status().consumers(0).state().kind(); }
  Pod* Active() {
    int standing_by = 0;
    Pod* active = nullptr;
    for (Pod& pod : pods_) {
      const State::Kind state = StateOf(pod);
      standing_by += state == State::KIND_PINNED_ELSEWHERE;
      if (state == State::KIND_SERVING) active = &pod;
    }
    return standing_by == kPods - 1 ? active : nullptr;
  }

  void RestartUnderLoad();
  uint64_t CountAcked() {
    std::set<uint64_t> acked;
    for (const Span& span : Spans()) {
      if (span.acked) acked.insert(span.stream_sequence);
    }
    return acked.size();
  }
  std::vector<Span> Spans() { return ReadSpans(absl::StrCat(dir_.path(), "/told")); }
  Findings Find(Scope scope);
  void ExpectInOrder(Scope scope = Scope::kFleet);

  std::deque<Pod> pods_;
  std::map<int64_t, int> pod_of_app_;  // by process
  uint64_t published_ = 0;
};

Findings FleetTest::Find(Scope scope) {
  struct Lane {
    uint64_t latest = 0;
    int64_t busy_until = 0;
  };
  std::map<std::pair<int, int>, Lane> lanes;
  Findings found;
  for (const Span& span : Spans()) {
    Lane& lane = lanes[{scope == Scope::kPod ? pod_of_app_.at(span.pid) : 0, span.key}];
    ++found.runs;
    found.failures += !span.acked;
    found.overlaps += span.begin_us < lane.busy_until;
    lane.busy_until = std::max(lane.busy_until, span.end_us);
    const bool rerun = found.acked.contains(span.stream_sequence);
    found.reruns += rerun;
    // What another pod gave back, or held when it was killed, comes to this one when it comes.
    const bool from_elsewhere = scope == Scope::kPod && span.num_delivered > 1;
    const bool inverted = !rerun && !from_elsewhere && span.stream_sequence < lane.latest;
    found.inversions += inverted;
    if (inverted) {
      std::cout << "inversion: key " << span.key << ", " << span.stream_sequence << " after " << lane.latest << "\n";
    }
    lane.latest = std::max(lane.latest, span.stream_sequence);
    if (span.acked) found.acked.insert(span.stream_sequence);
  }
  return found;
}

void FleetTest::ExpectInOrder(Scope scope) {
  EXPECT_TRUE(Eventually([&] { return CountAcked() >= published_; })) << CountAcked() << " of " << published_;
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0; }));
  const Findings found = Find(scope);
  std::cout << published_ << " messages of " << kKeys << " keys: " << found << "\n";
  EXPECT_EQ(found.acked.size(), published_) << "lost";
  EXPECT_EQ(found.inversions, 0);
  EXPECT_EQ(found.overlaps, 0);
}

// The active pod, where there is one, again and again; else each in turn.
void FleetTest::RestartUnderLoad() {
  const char* seconds = std::getenv("SLUICE_FLEET_SECONDS");
  const absl::Time end = absl::Now() + absl::Seconds(seconds == nullptr ? kDefaultSeconds : std::atoi(seconds));
  int restarts = 0;
  int kills = 0;
  for (absl::Time next = absl::Now() + kBetweenRestarts; next < end; next += kBetweenRestarts) {
    PublishUntil(next);
    Pod* const active = Active();
    Pod& pod = active != nullptr ? *active : pods_[restarts % kPods];
    if (++restarts % kKillEvery == 0) {
      ++kills;
      pod.daemon->Signal(SIGKILL);
      ASSERT_EQ(pod.daemon->Wait(), -SIGKILL);
    } else {
      ASSERT_EQ(pod.daemon->Terminate(), 0);
    }
    ASSERT_TRUE(StartPod(pod));
  }
  std::cout << restarts << " restarts, " << kills << " of them by SIGKILL\n";
  EXPECT_GT(kills, 0);
}

class ExclusiveFleetTest : public FleetTest {};

TEST_P(ExclusiveFleetTest, KeepsEachKeyInOrderThroughRestartsAndKills) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartFleet());
  RestartUnderLoad();
  ExpectInOrder();
}

// What a kill repeats is bounded; nothing is lost by an ACK of a later message.
TEST_P(ExclusiveFleetTest, WithAckPolicyAllNothingIsSettledThatNoAppHasDone) {
  options_.ack_policy = "all";
  absl::StrAppend(&options_.more, "    coalesce_acks: true\n    max_unacked: 200\n");
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartFleet());
  RestartUnderLoad();
  ExpectInOrder();
}

// It wakes up with messages that another pod has been given meanwhile.
TEST_P(ExclusiveFleetTest, APodThatWasStoppedForLongerThanItsPinHandsOutNothing) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartFleet());
  PublishRound();
  Pod* stopped = nullptr;
  ASSERT_TRUE(Eventually([&] { return (stopped = Active()) != nullptr; }));
  PublishUntil(absl::Now() + absl::Milliseconds(300));
  stopped->daemon->Signal(SIGSTOP);
  const uint64_t before = CountAcked();
  for (int round = 0; round < 4; ++round) PublishRound();
  EXPECT_TRUE(Eventually([&] { return CountAcked() > before + kKeys; })) << "no other pod takes over";
  stopped->daemon->Signal(SIGCONT);
  PublishRound();
  ExpectInOrder();
  EXPECT_TRUE(Eventually([&] { return Active() != nullptr; }));
}

INSTANTIATE_TEST_SUITE_P(All, ExclusiveFleetTest, testing::ValuesIn([] {
                           std::vector<std::string> binaries;
                           for (const std::string& binary : test::NatsServerBinaries()) {
                             if (PinsClients(binary)) binaries.push_back(binary);
                           }
                           return binaries;
                         }()),
                         ParamName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ExclusiveFleetTest);

// Two apps in each pod, so that it is the daemon that holds a key's messages apart.
TEST_P(FleetTest, WithOrderingKeyEachPodKeepsItsOwnInOrder) {
  options_.more =
      "    ordering: key\n    key: {subject_token: 2}\n    redelivery: {initial: 20ms, max: 100ms}\n"
      "    resume_window: 1s\n";
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartFleet(2));
  RestartUnderLoad();
  ExpectInOrder(Scope::kPod);
}

// A server that pins no clients is told apart, by name: nothing is handed out, and the state says what to do.
TEST_P(FleetTest, AServerBefore2_11IsRefusedWithASentence) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartPod(pods_.emplace_back()));
  Pod& pod = pods_.back();
  const bool pins = PinsClients(GetParam());
  const State::Kind expected = pins ? State::KIND_SERVING : State::KIND_CONSUMER_INVALID;
  ASSERT_TRUE(Eventually([&] { return StateOf(pod) == expected; }));
  const std::string detail = pod.daemon->Status().consumers(0).state().detail();
  EXPECT_EQ(absl::StrContains(detail, "upgrade it to 2.11 or later"), !pins) << detail;
}

INSTANTIATE_TEST_SUITE_P(All, FleetTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
