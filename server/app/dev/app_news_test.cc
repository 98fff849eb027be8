#include "app/dev/app_news.h"

#include <chrono>

#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

template <typename News>
News RoundTrip(const News& news) {
  const std::string line = ToLine(news);
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  const absl::StatusOr<AppNews> parsed = ParseLine(line);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return std::get<News>(*parsed);
}

TEST(AppNewsTest, CountsArriveAsSent) {
  const AppCounts counts = {
      .delivered = 7, .redelivered = 1, .handled = 5, .acked = 4, .duplicates = 2, .foreign = 3, .in_flight = 6};
  EXPECT_EQ(RoundTrip(counts), counts);
}

TEST(AppNewsTest, StatesAndErrorsArriveWithAnyText) {
  const AppState state = {"nats-down", "line one\nline \"two\" é"};
  EXPECT_EQ(RoundTrip(state), state);
  EXPECT_EQ(RoundTrip(AppError{"{}"}), AppError{"{}"});
  EXPECT_NE(ToLine(AppError{"not UTF-8: \xff"}), "");
}

TEST(AppNewsTest, DrainReportsArriveWithTheirPhasesInOrder) {
  DrainReport report;
  report.completed = true;
  report.awaited = 3;
  report.acked = 2;
  report.naked = 1;
  report.released = 9;
  report.phases = {{"QUIESCING", std::chrono::microseconds(1500)}, {"FENCING", std::chrono::microseconds(20)}};
  const DrainReport got = RoundTrip(report);
  EXPECT_TRUE(got.completed);
  EXPECT_FALSE(got.deadline_exceeded);
  EXPECT_EQ(got.awaited, 3u);
  EXPECT_EQ(got.acked, 2u);
  EXPECT_EQ(got.naked, 1u);
  EXPECT_EQ(got.released, 9u);
  EXPECT_EQ(got.phases, report.phases);
}

TEST(AppNewsTest, AnythingElseIsRefused) {
  for (const char* line : {"", "hello", "[]", "{}", "7", "{\"weather\":{}}", "{\"counts\":{}}", "{\"counts\":7}",
                           "{\"state\":{\"state\":1,\"detail\":\"\"}}", "{\"error\":{\"what\":\"x\"},\"state\":{}}"}) {
    EXPECT_FALSE(ParseLine(line).ok()) << line;
  }
}

}  // namespace
}  // namespace sluice::dev
