#include "core/in_flight.h"

#include <set>

#include <gtest/gtest.h>

#include "test/support/scripted_source.h"

namespace sluice::core {
namespace {

using test::MakeMessage;

TEST(InFlightTest, FindsWhatWasAddedUntilItIsRemoved) {
  InFlight in_flight;
  Delivery* delivery = in_flight.Add(MakeMessage(7));
  EXPECT_EQ(in_flight.Find(delivery->id), delivery);
  EXPECT_EQ(delivery->bytes, std::string("orders.newdata").size());
  const uint64_t id = delivery->id;
  in_flight.Remove(delivery);
  EXPECT_EQ(in_flight.Find(id), nullptr);
  EXPECT_EQ(in_flight.size(), 0u);
}

TEST(InFlightTest, AnIdIsNeverUsedAgainThoughItsSlotIs) {
  InFlight in_flight;
  std::set<uint64_t> ids;
  for (uint64_t i = 1; i <= 1000; ++i) {
    Delivery* delivery = in_flight.Add(MakeMessage(i));
    EXPECT_TRUE(ids.insert(delivery->id).second);
    in_flight.Remove(delivery);
  }
  for (uint64_t id : ids) EXPECT_EQ(in_flight.Find(id), nullptr);
}

TEST(InFlightTest, FindsNothingForIdsThatWereNeverGiven) {
  InFlight in_flight;
  EXPECT_EQ(in_flight.Find(0), nullptr);
  Delivery* delivery = in_flight.Add(MakeMessage(1));
  EXPECT_EQ(in_flight.Find(0), nullptr);
  EXPECT_EQ(in_flight.Find(~uint64_t{0}), nullptr);
  EXPECT_EQ(in_flight.Find(delivery->id + InFlight::kMaxSize), nullptr);
}

TEST(InFlightTest, AnIdOfAnotherProcessFindsNothing) {
  InFlight former(1);
  InFlight successor(2);
  std::set<uint64_t> ids;
  for (uint64_t i = 1; i <= 1000; ++i) ids.insert(former.Add(MakeMessage(i))->id);
  for (uint64_t i = 1; i <= 1000; ++i) EXPECT_FALSE(ids.contains(successor.Add(MakeMessage(i))->id));
  for (uint64_t id : ids) EXPECT_LT(id, uint64_t{1} << 42);
}

TEST(InFlightTest, AddressesAreStableWhileItGrows) {
  InFlight in_flight;
  Delivery* first = in_flight.Add(MakeMessage(1));
  const uint64_t id = first->id;
  for (uint64_t i = 2; i <= 10000; ++i) in_flight.Add(MakeMessage(i));
  EXPECT_EQ(in_flight.Find(id), first);
  EXPECT_EQ(first->stream_sequence(), 1u);
  EXPECT_EQ(in_flight.size(), 10000u);
}

}  // namespace
}  // namespace sluice::core
