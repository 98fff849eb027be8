// ordering: key, with real processes: slow and failing handlers in two apps at one daemon, which is drained and started
// anew in the middle.
#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/integration/fixture.h"
#include "test/integration/span.h"

namespace sluice::integration {
namespace {

constexpr int kKeys = 20;
constexpr int kRounds = 12;         // before the restart, and as many after it
constexpr int kMessagesInARow = 2;  // of one key, in each round

class OrderTest : public IntegrationTest {
 protected:
  void PublishRounds() {
    for (int round = 0; round < kRounds; ++round) {
      for (int key = 0; key < kKeys; ++key) {
        ASSERT_TRUE(admin_->PublishNumbers(absl::StrCat("s.", key), kMessagesInARow, published_ + 1).ok());
        published_ += kMessagesInARow;
      }
    }
  }

  // What the handlers did, by key, in the order of their beginnings.
  std::map<int, std::vector<Span>> SpansByKey() {
    std::map<int, std::vector<Span>> spans;
    for (const Span& span : ReadSpans(absl::StrCat(dir_.path(), "/told"))) spans[span.key].push_back(span);
    return spans;
  }

  uint64_t CountAcked() {
    uint64_t count = 0;
    for (const auto& [key, spans] : SpansByKey()) {
      count += std::count_if(spans.begin(), spans.end(), [](const Span& span) { return span.acked; });
    }
    return count;
  }

  int published_ = 0;
};

TEST_P(OrderTest, OfEachKeyOneAtATimeInOrderThroughFailuresAndADrain) {
  options_.more =
      "    ordering: key\n    key: {subject_token: 2}\n"
      "    redelivery: {initial: 20ms, max: 100ms}\n";
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartDaemon());
  const AppOptions app = {.mode = "spans", .work_ms = 5, .concurrency = 8};
  StartApp(app);
  StartApp(app);
  PublishRounds();
  const uint64_t before_restart = published_ / 2;
  ASSERT_TRUE(Eventually([&] { return CountAcked() >= before_restart; }));
  ASSERT_EQ(daemon_->Terminate(), 0);
  const int64_t given_back = daemon_->Reported("released") + daemon_->Reported("naked");
  ASSERT_TRUE(StartDaemon());
  PublishRounds();
  EXPECT_TRUE(Eventually([&] { return CountAcked() >= static_cast<uint64_t>(published_); }));
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0; }));

  int overlaps = 0;
  int inversions = 0;
  int failures = 0;
  uint64_t acked = 0;
  for (const auto& [key, spans] : SpansByKey()) {
    for (size_t i = 0; i < spans.size(); ++i) {
      failures += !spans[i].acked;
      acked += spans[i].acked;
      if (i == 0) continue;
      const Span& before = spans[i - 1];
      overlaps += spans[i].begin_us < before.end_us;
      // What failed comes again before anything else of its key, what was acked never again.
      const bool inverted = before.acked ? spans[i].stream_sequence <= before.stream_sequence
                                         : spans[i].stream_sequence != before.stream_sequence;
      inversions += inverted;
      if (inverted) std::cout << "inversion: " << before << ", then " << spans[i] << "\n";
    }
  }
  std::cout << published_ << " messages of " << kKeys << " keys, " << failures << " failures, " << given_back
            << " given back by the drain\n";
  EXPECT_EQ(acked, static_cast<uint64_t>(published_));
  EXPECT_EQ(overlaps, 0);
  EXPECT_EQ(inversions, 0);
  EXPECT_GT(failures, 0);
  EXPECT_GT(given_back, 0) << "or the restart came too late";
}

INSTANTIATE_TEST_SUITE_P(All, OrderTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::integration
