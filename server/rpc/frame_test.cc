#include "rpc/frame.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sluice::rpc {
namespace {

class FrameTest : public ::testing::Test {
 protected:
  const v1::Deliveries& Fill(const std::vector<std::string>& contents) {
    std::vector<core::Delivery> deliveries(contents.size());
    std::vector<const core::Delivery*> batch;
    for (size_t i = 0; i < contents.size(); ++i) {
      deliveries[i].id = i + 1;
      deliveries[i].message.data = contents[i];
      batch.push_back(&deliveries[i]);
    }
    return frame_.Fill(batch).deliveries();
  }

  Frame frame_;
};

TEST_F(FrameTest, HoldsTheLastBatchOnly) {
  Fill({"a", "b", "c"});
  const v1::Deliveries& deliveries = Fill({"d"});
  ASSERT_EQ(deliveries.deliveries_size(), 1);
  EXPECT_EQ(deliveries.deliveries(0).id(), 1);
  EXPECT_EQ(deliveries.deliveries(0).data(), "d");
}

TEST_F(FrameTest, ReusesWhatItAllocated) {
  const std::string content(1000, 'x');
  const char* place = Fill({content}).deliveries(0).data().data();
  EXPECT_EQ(Fill({content}).deliveries(0).data().data(), place);
}

TEST_F(FrameTest, LetsGoOfLargeContent) {
  Fill({std::string(1 << 20, 'x'), "small"});
  const v1::Deliveries& deliveries = Fill({"a", "b"});
  EXPECT_LT(deliveries.deliveries(0).data().capacity(), size_t{16} << 10);
}

}  // namespace
}  // namespace sluice::rpc
