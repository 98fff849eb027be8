#include "app/dev/screen.h"

#include <cstdio>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(ScreenTest, DurationsAreForPeople) {
  EXPECT_EQ(Seconds(absl::Milliseconds(59'999)), "59 s");
  EXPECT_EQ(Seconds(absl::Seconds(65)), "1 m 05 s");
  EXPECT_EQ(Seconds(absl::Minutes(125)), "2 h 05 m");
  EXPECT_EQ(Milliseconds(absl::Microseconds(12'345)), "12.3 ms");
}

TEST(ScreenTest, BarsHaveEighths) {
  EXPECT_EQ(Bar(0, 4), "");
  EXPECT_EQ(Bar(1, 4), "████");
  EXPECT_EQ(Bar(0.5, 4), "██");
  EXPECT_EQ(Bar(5.0 / 32, 4), "▋");
  EXPECT_EQ(Bar(7, 2), "██");
  EXPECT_EQ(Bar(-1, 2), "");
}

TEST(MeterTest, TellsTheRateOfTheLastSecond) {
  Meter meter;
  EXPECT_EQ(meter.per_second(), 0u);
  uint64_t total = 0;
  for (int quarter = 0; quarter <= 20; ++quarter) {
    meter.Add(kStart + quarter * absl::Milliseconds(250), total);
    total += quarter < 10 ? 10 : 500;
  }
  EXPECT_EQ(meter.per_second(), 2'000u);
}

TEST(MeterTest, DrawsItsHistoryRelativeToItsPeak) {
  Meter meter;
  const uint64_t totals[] = {0, 0, 1, 51, 151};
  for (int i = 0; i < 5; ++i) meter.Add(kStart + i * absl::Seconds(1), totals[i]);
  EXPECT_EQ(meter.Sparkline(), " ▁▄█");
}

TEST(MeterTest, ACountThatFallsIsNoRate) {
  Meter meter;
  meter.Add(kStart, 100);
  meter.Add(kStart + absl::Seconds(1), 50);
  EXPECT_EQ(meter.per_second(), 0u);
  EXPECT_EQ(meter.Sparkline(), " ");
}

TEST(ScreenTest, AFileGetsPlainLines) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  Screen screen(file, {"heading"});
  EXPECT_EQ(screen.interval(), absl::Seconds(1));
  Snapshot snapshot = {.uptime = absl::Seconds(1), .published = 2'000, .phase = "SERVING"};
  snapshot.app = {.delivered = 1'990, .redelivered = 4, .acked = 1'980, .in_flight = 10};
  EXPECT_TRUE(screen.Draw(kStart, snapshot));
  snapshot.uptime = absl::Seconds(2);
  snapshot.app.acked = 3'980;
  snapshot.restarts = 1;
  snapshot.trouble = "nats down";
  EXPECT_TRUE(screen.Draw(kStart + absl::Seconds(1), snapshot));

  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  EXPECT_EQ(
      text,
      "heading\n"
      "1 s      SERVING    published=2000 delivered=1990 acked=1980 redelivered=4 in_flight=10 rate=0/s restarts=0\n"
      "2 s      SERVING    published=2000 delivered=1990 acked=3980 redelivered=4 in_flight=10 rate=2000/s "
      "restarts=1 (nats down)\n");
}

TEST(ScreenTest, ATerminalIsDrawnInPlace) {
  Snapshot snapshot = {
      .uptime = absl::Seconds(7), .published = 12'345, .waiting = 340, .phase = "DRAINING", .restarts = 2};
  snapshot.app.acked = 12'000;
  snapshot.app.in_flight = 5;
  const std::string first = InPlace(Table(snapshot, Meter(), Meter(), Meter()), 0, 80);
  EXPECT_THAT(first, HasSubstr("DRAINING"));
  EXPECT_THAT(first, HasSubstr("daemon restarted 2 times"));
  EXPECT_THAT(first, HasSubstr("12,345"));
  EXPECT_THAT(first, HasSubstr("  waiting                   340"));
  EXPECT_THAT(first, Not(HasSubstr("\x1b[11A")));
  const std::string second = InPlace(Table(snapshot, Meter(), Meter(), Meter()), 11, 80);
  EXPECT_EQ(second, "\x1b[11A" + first);
}

TEST(ScreenTest, LinesNeverWrap) {
  EXPECT_EQ(InPlace({"abcdef", "ab", "▁▂▃▄▅"}, 0, 4), "abcd\x1b[K\nab\x1b[K\n▁▂▃▄\x1b[K\n\x1b[J");
}

}  // namespace
}  // namespace sluice::dev
