#include "jetstream/dead_letters.h"

#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

TEST(MaxDeliveriesAdvisory, NamesTheMessage) {
  uint64_t stream_sequence = 0;
  uint64_t deliveries = 0;
  ASSERT_TRUE(ParseMaxDeliveriesAdvisory(
      R"({"type":"io.nats.jetstream.advisory.v1.max_deliver","stream":"S","consumer":"C","stream_seq":7,"deliveries":5})",
      &stream_sequence, &deliveries));
  EXPECT_EQ(stream_sequence, 7u);
  EXPECT_EQ(deliveries, 5u);
}

TEST(MaxDeliveriesAdvisory, AnybodysTextIsNone) {
  uint64_t stream_sequence = 0;
  uint64_t deliveries = 0;
  for (const char* text : {"", "[]", "{}", R"({"stream_seq":"7"})", R"({"stream_seq":0})", R"({"stream_seq":-1})"}) {
    EXPECT_FALSE(ParseMaxDeliveriesAdvisory(text, &stream_sequence, &deliveries)) << text;
  }
}

}  // namespace
}  // namespace sluice::jetstream
