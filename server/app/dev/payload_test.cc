#include "app/dev/payload.h"

#include <limits>

#include "gtest/gtest.h"

namespace sluice::dev {
namespace {

TEST(PayloadTest, HoldsItsNumberAndHasItsSize) {
  for (const uint64_t number : {uint64_t{1}, uint64_t{42}, std::numeric_limits<uint64_t>::max()}) {
    for (const size_t size : {kLeastPayload, size_t{128}, size_t{65536}}) {
      const std::string payload = MakePayload(number, size);
      EXPECT_EQ(payload.size(), size);
      EXPECT_EQ(NumberOf(payload), number);
    }
  }
}

TEST(PayloadTest, SomebodyElsesMessageHasNoNumber) {
  for (const char* payload : {"", " ", "42", "x ", "0 ...", "-1 ...", "18446744073709551616 ...", "hello world"}) {
    EXPECT_EQ(NumberOf(payload), std::nullopt) << payload;
  }
}

}  // namespace
}  // namespace sluice::dev
