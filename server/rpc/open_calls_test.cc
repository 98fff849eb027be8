#include "rpc/open_calls.h"

#include "gtest/gtest.h"

namespace sluice::rpc {
namespace {

struct RecordingCall : OpenCalls::Call {
  void Abort(const absl::Status& reason) override { aborted = reason; }
  absl::Status aborted;
};

TEST(OpenCallsTest, CloseAbortsAllAndWaitsForTheLast) {
  OpenCalls calls;
  RecordingCall a;
  RecordingCall b;
  RecordingCall gone;
  calls.Add(&a);
  calls.Add(&b);
  calls.Add(&gone);
  calls.Remove(&gone);
  int closed = 0;
  calls.Close(absl::UnavailableError("ends"), [&] { ++closed; });
  EXPECT_EQ(a.aborted, absl::UnavailableError("ends"));
  EXPECT_EQ(b.aborted, absl::UnavailableError("ends"));
  EXPECT_TRUE(gone.aborted.ok());
  calls.Remove(&a);
  EXPECT_EQ(closed, 0);
  calls.Remove(&b);
  EXPECT_EQ(closed, 1);
}

TEST(OpenCallsTest, CloseWithoutCallsIsDoneAtOnce) {
  OpenCalls calls;
  int closed = 0;
  calls.Close(absl::UnavailableError("ends"), [&] { ++closed; });
  EXPECT_EQ(closed, 1);
}

TEST(OpenCallsTest, ALateCallIsAbortedAndNotWaitedFor) {
  OpenCalls calls;
  RecordingCall open;
  calls.Add(&open);
  int closed = 0;
  calls.Close(absl::UnavailableError("ends"), [&] { ++closed; });
  RecordingCall late;
  calls.Add(&late);
  EXPECT_EQ(late.aborted, absl::UnavailableError("ends"));
  calls.Remove(&open);
  EXPECT_EQ(closed, 1);
  calls.Remove(&late);
  EXPECT_EQ(closed, 1);
}

}  // namespace
}  // namespace sluice::rpc
