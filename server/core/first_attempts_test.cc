#include "core/first_attempts.h"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

Message Of(uint64_t sequence, int64_t timestamp_ns = 1) {
  Message message;
  message.stream_sequence = sequence;
  message.timestamp_ns = timestamp_ns;
  return message;
}

const absl::Time kEarly = absl::FromUnixSeconds(1);
const absl::Time kLate = absl::FromUnixSeconds(2);

TEST(FirstAttempts, TheFirstNoteCountsUntilItIsForgotten) {
  FirstAttempts attempts;
  EXPECT_EQ(attempts.Find(Of(1), kLate), kLate);
  attempts.Note(Of(1), kEarly);
  attempts.Note(Of(1), kLate);
  EXPECT_EQ(attempts.Find(Of(1), kLate), kEarly);
  attempts.Forget(Of(1));
  EXPECT_EQ(attempts.Find(Of(1), kLate), kLate);
}

TEST(FirstAttempts, AnotherMessageOfItsSequenceIsAnother) {
  FirstAttempts attempts;
  attempts.Note(Of(1, 10), kEarly);
  EXPECT_EQ(attempts.Find(Of(1, 11), kLate), kLate);
  attempts.Note(Of(1, 11), kLate);
  EXPECT_EQ(attempts.Find(Of(1, 11), kEarly), kLate);
}

TEST(FirstAttempts, TheOldestAreForgottenFirst) {
  FirstAttempts attempts;
  for (uint64_t sequence = 1; sequence <= FirstAttempts::kMostKept + 1; ++sequence) attempts.Note(Of(sequence), kEarly);
  EXPECT_EQ(attempts.size(), FirstAttempts::kMostKept);
  EXPECT_EQ(attempts.Find(Of(1), kLate), kLate);
  EXPECT_EQ(attempts.Find(Of(2), kLate), kEarly);
}

}  // namespace
}  // namespace sluice::core
