#include "base/log.h"

#include <string>

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

class Recorder : public LogSink {
 public:
  bool Enabled(Severity severity) const override { return severity >= Severity::kInfo; }
  void Write(Severity, absl::string_view message, const std::vector<LogField>& fields) override {
    absl::StrAppend(&lines, message);
    for (const LogField& field : fields) absl::StrAppend(&lines, " ", field.name, "=", field.value);
    absl::StrAppend(&lines, "\n");
  }
  std::string lines;
};

TEST(LogTest, GoesToTheSinkWithItsFields) {
  Recorder recorder;
  SetLogSink(&recorder);
  LogInfo("drained", {{"consumer", "orders"}, {"acked", 12}, {"err", std::string("none")}});
  SetLogSink(nullptr);
  EXPECT_EQ(recorder.lines, "drained consumer=orders acked=12 err=none\n");
}

TEST(LogTest, LeavesOutWhatTheSinkDoesNotWant) {
  Recorder recorder;
  SetLogSink(&recorder);
  Log(Severity::kDebug, "too much");
  SetLogSink(nullptr);
  EXPECT_EQ(recorder.lines, "");
}

TEST(LogTest, VanishesWithoutASink) { LogError("nobody listens"); }

}  // namespace
}  // namespace sluice::base
