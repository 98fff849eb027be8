#include "core/trace_context.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

constexpr char kId[] = "4bf92f3577b34da6a3ce929d0e0e4736";

absl::string_view TraceIdOf(absl::string_view name, absl::string_view value) {
  Message message;
  message.headers = {{"other", "x"}, {name, value}};
  return TraceId(message);
}

TEST(TraceContext, ReadsTraceparent) {
  EXPECT_EQ(TraceIdOf("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), kId);
  EXPECT_EQ(TraceIdOf("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), kId);
  EXPECT_EQ(TraceIdOf("traceparent", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"), kId)
      << "of a later version";
}

TEST(TraceContext, WhatIsNotValidIsNone) {
  EXPECT_EQ(TraceIdOf("trace", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "");
  for (const char* value : {"", "00-4bf9", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e473\"-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736100f067aa0ba902b7-01",
                            "0-44bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"}) {
    EXPECT_EQ(TraceIdOf("traceparent", value), "") << value;
  }
}

TEST(TraceContext, LinesHaveItOnlyIfTheMessageDoes) {
  Message message;
  EXPECT_EQ(WithTrace({{"stream_seq", 7}}, message).size(), 1u);
  message.headers = {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}};
  const std::vector<base::LogField> fields = WithTrace({{"stream_seq", 7}}, message);
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[1].name, "trace_id");
  EXPECT_EQ(fields[1].value, kId);
}

}  // namespace
}  // namespace sluice::core
