#include "rpc/frame.h"

#include <memory>
#include <string>
#include <vector>

#include "core/app_stream.h"
#include "gtest/gtest.h"
#include "rpc/convert.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice::rpc {
namespace {

// What the generated code makes of the same deliveries is what must be written.
class FrameTest : public ::testing::Test {
 protected:
  core::Delivery& Add() {
    deliveries_.push_back(std::make_unique<core::Delivery>());
    return *deliveries_.back();
  }
  std::string Written() const {
    std::vector<const core::Delivery*> batch;
    for (const auto& delivery : deliveries_) batch.push_back(delivery.get());
    grpc::ByteBuffer bytes;
    WriteFrame(batch, &bytes);
    grpc::Slice slice;
    EXPECT_TRUE(bytes.DumpToSingleSlice(&slice).ok());
    return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  v1::ConsumeResponse Generated() const {
    v1::ConsumeResponse response;
    response.mutable_deliveries();
    for (const auto& delivery : deliveries_) ToProto(*delivery, response.mutable_deliveries()->add_deliveries());
    return response;
  }

  std::vector<std::unique_ptr<core::Delivery>> deliveries_;
};

core::Delivery& Fill(core::Delivery& delivery, uint64_t number, absl::string_view bytes) {
  delivery.id = number;
  delivery.message.subject = bytes;
  delivery.message.headers = {{bytes, ""}, {"k", bytes}, {"", ""}};
  delivery.message.data = bytes;
  delivery.message.stream_sequence = number;
  delivery.message.consumer_sequence = number;
  delivery.message.num_delivered = number;
  delivery.message.num_pending = number;
  delivery.message.timestamp_ns = static_cast<int64_t>(number >> 1);
  delivery.key = bytes;
  delivery.token = bytes;
  return delivery;
}

TEST_F(FrameTest, IsWhatTheGeneratedCodeWrites) {
  const std::string large(300'000, '\xff');
  for (const uint64_t number :
       {uint64_t{0}, uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, ~uint64_t{0}}) {
    for (const std::string& bytes : {std::string(), std::string("\x00\xff", 2), std::string(127, 'x'), large}) {
      deliveries_.clear();
      Fill(Add(), number, bytes);
      Add();
      Fill(Add(), number, "x");
      EXPECT_EQ(Written(), Generated().SerializeAsString()) << number << ", " << bytes.size() << " bytes";
    }
  }
}

TEST_F(FrameTest, RetriesFromHereCount) {
  core::Delivery& delivery = Add();
  delivery.message.num_delivered = 2;
  delivery.failures = 3;
  v1::ConsumeResponse read;
  ASSERT_TRUE(read.ParseFromString(Written()));
  EXPECT_EQ(read.deliveries().deliveries(0).num_delivered(), 5u);
}

TEST_F(FrameTest, NoFieldOfTheContractIsForgotten) {
  Fill(Add(), 1'700'000'000'000'000'001, "x");
  v1::ConsumeResponse read;
  ASSERT_TRUE(read.ParseFromString(Written()));
  const v1::Delivery& delivery = read.deliveries().deliveries(0);
  std::vector<const google::protobuf::FieldDescriptor*> set;
  v1::Delivery::GetReflection()->ListFields(delivery, &set);
  EXPECT_EQ(static_cast<int>(set.size()), v1::Delivery::GetDescriptor()->field_count());
  v1::Header::GetReflection()->ListFields(delivery.headers(1), &set);
  EXPECT_EQ(static_cast<int>(set.size()), v1::Header::GetDescriptor()->field_count());
}

TEST_F(FrameTest, AFullFrame) {
  const std::string data(1024, 'x');
  for (uint64_t i = 1; i <= core::OpenRequest::kMaxBatch; ++i) Fill(Add(), i, data);
  EXPECT_EQ(Written(), Generated().SerializeAsString());
}

}  // namespace
}  // namespace sluice::rpc
