#include "jetstream/requests.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HandClock final : public base::Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::UnixEpoch();
};

class RequestsTest : public testing::Test {
 protected:
  uint64_t Add(absl::Duration timeout, const void* owner = nullptr) {
    const std::string name = absl::StrCat(++added_);
    return requests_.Add(owner, timeout, [this, name](const absl::StatusOr<absl::string_view>& reply) {
      ended_.push_back(absl::StrCat(name, ":", reply.ok() ? *reply : absl::StatusCodeToString(reply.status().code())));
    });
  }
  void Pass(absl::Duration time) {
    clock_.now += time;
    timers_.RunDue();
  }

  HandClock clock_;
  base::Timers timers_{&clock_};
  Requests requests_{&timers_};
  int added_ = 0;
  std::vector<std::string> ended_;
};

TEST_F(RequestsTest, AnAnswerEndsItsRequestOnce) {
  const uint64_t first = Add(absl::Seconds(2));
  const uint64_t second = Add(absl::Seconds(2));
  requests_.End(second, absl::string_view("pong"));
  requests_.End(second, absl::string_view("again"));
  requests_.End(first + 100, absl::string_view("unknown"));
  EXPECT_THAT(ended_, ElementsAre("2:pong"));
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(RequestsTest, TimeEndsEachAtItsOwnDeadline) {
  Add(absl::Seconds(5));
  Add(absl::Seconds(2));
  Pass(absl::Seconds(1.9));
  EXPECT_THAT(ended_, IsEmpty());
  Pass(absl::Seconds(0.1) + Requests::kSweep);
  EXPECT_THAT(ended_, ElementsAre("2:DEADLINE_EXCEEDED"));
  Pass(absl::Seconds(3) + Requests::kSweep);
  EXPECT_THAT(ended_, ElementsAre("2:DEADLINE_EXCEEDED", "1:DEADLINE_EXCEEDED"));
  EXPECT_EQ(timers_.NextDue(), absl::InfiniteFuture()) << "nothing is swept while nothing waits";
}

TEST_F(RequestsTest, AFailureEndsAllInOrder) {
  for (int i = 0; i < 3; ++i) Add(absl::Seconds(2));
  requests_.EndAll(absl::UnavailableError("gone"));
  EXPECT_THAT(ended_, ElementsAre("1:UNAVAILABLE", "2:UNAVAILABLE", "3:UNAVAILABLE"));
  EXPECT_EQ(requests_.size(), 0u);
}

TEST_F(RequestsTest, AForgottenOwnerIsNotCalled) {
  const int owner = 0;
  Add(absl::Seconds(2), &owner);
  Add(absl::Seconds(2));
  requests_.Forget(&owner);
  requests_.EndAll(absl::UnavailableError("gone"));
  EXPECT_THAT(ended_, ElementsAre("2:UNAVAILABLE"));
}

TEST_F(RequestsTest, ACallbackMayAskAgain) {
  uint64_t second = 0;
  const uint64_t first = requests_.Add(
      nullptr, absl::Seconds(2), [&](const absl::StatusOr<absl::string_view>&) { second = Add(absl::Seconds(2)); });
  requests_.End(first, absl::string_view(""));
  EXPECT_EQ(second, first + 1);
  requests_.End(second, absl::string_view("yes"));
  EXPECT_THAT(ended_, ElementsAre("1:yes"));
}

}  // namespace
}  // namespace sluice::jetstream
