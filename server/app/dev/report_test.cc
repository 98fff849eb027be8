#include "app/dev/report.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sluice::dev {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DrainReport SomeDrain() {
  DrainReport drain;
  drain.completed = true;
  drain.awaited = 3;
  drain.acked = 2;
  drain.naked = 1;
  drain.released = 1'200;
  drain.phases = {{"QUIESCING", std::chrono::milliseconds(50)},
                  {"FENCING", std::chrono::microseconds(400)},
                  {"SETTLING", std::chrono::milliseconds(25)}};
  return drain;
}

Outcome SomeOutcome() {
  return {.published = 10'000, .acked = 9'000, .pending = 1'000, .redelivered = 7, .drain_ms = 100};
}

TEST(ReportTest, TheTimelineShowsEachPhaseInItsPlace) {
  const std::string text = DrainText(SomeDrain(), absl::Milliseconds(100));
  EXPECT_EQ(text,
            "Drained in 100.0 ms, from SIGTERM to the end of the process\n"
            "\n"
            "  QUIESCING       50.0 ms  ████████████████████\n"
            "  FENCING          0.4 ms                      ▏\n"
            "  SETTLING        25.0 ms                      ██████████\n"
            "  exit            24.6 ms                                █████████▉\n"
            "\n"
            "  3 messages were with the app: 2 acked, 1 given back\n"
            "  1,200 messages no app had seen: given back at once, for the next pod\n");
}

TEST(ReportTest, ADrainOfNothingIsFineToo) {
  const std::string text = DrainText(DrainReport(), absl::ZeroDuration());
  EXPECT_THAT(text, HasSubstr("0 messages were with the app\n"));
  EXPECT_THAT(text, HasSubstr("0 messages no app had seen"));
}

TEST(ReportTest, TheOutcomeTellsOfRestartsOnlyIfThereWereAny) {
  EXPECT_THAT(OutcomeText(SomeOutcome(), {}), Not(HasSubstr("Restarted")));
  EXPECT_THAT(OutcomeText(SomeOutcome(), {absl::Milliseconds(20), absl::Milliseconds(80), absl::Milliseconds(5)}),
              HasSubstr("Restarted 3 times under load, drained in at most 80.0 ms"));
  EXPECT_THAT(OutcomeText(SomeOutcome(), {}), HasSubstr("pending                 1,000  in the stream"));
}

TEST(ReportTest, JsonHoldsAllOfItOnOneLine) {
  Outcome outcome = SomeOutcome();
  outcome.faults = {"two\nlines, not UTF-8: \xff"};
  const std::string text = ReportJson(outcome, SomeDrain(), {absl::Milliseconds(20)});
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const nlohmann::json report = nlohmann::json::parse(text);
  EXPECT_EQ(report["clean"], false);
  EXPECT_EQ(report["published"], 10'000);
  EXPECT_EQ(report["drain"]["released"], 1'200);
  EXPECT_EQ(report["drain"]["phases_ms"]["QUIESCING"], 50.0);
  EXPECT_EQ(report["restart_drain_ms"][0], 20.0);
}

}  // namespace
}  // namespace sluice::dev
