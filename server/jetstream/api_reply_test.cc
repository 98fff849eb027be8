#include "jetstream/api_reply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using testing::HasSubstr;

absl::Status StatusOfReply(absl::string_view text) {
  const absl::StatusOr<ApiReply> reply = ParseApiReply(text);
  return reply.ok() ? ApiStatus(*reply, "ORDERS", "worker") : reply.status();
}

TEST(ApiReplyTest, AnAnswerWithoutErrorHasNone) {
  const absl::StatusOr<ApiReply> reply = ParseApiReply(R"({"type":"x","num_pending":3})");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->code, 0);
  EXPECT_EQ(reply->body["num_pending"], 3);
}

TEST(ApiReplyTest, TellsWhatIsMissingAndWhatToDo) {
  const absl::Status stream =
      StatusOfReply(R"({"error":{"code":404,"err_code":10059,"description":"stream not found"}})");
  EXPECT_EQ(stream.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(stream.message()), HasSubstr("nats stream add ORDERS"));

  const absl::Status consumer =
      StatusOfReply(R"({"error":{"code":404,"err_code":10014,"description":"consumer not found"}})");
  EXPECT_EQ(consumer.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(consumer.message()), HasSubstr("consumer worker does not exist on stream ORDERS"));
}

TEST(ApiReplyTest, TellsTransientFromPermanent) {
  EXPECT_EQ(StatusOfReply(R"({"error":{"code":503,"err_code":10008,"description":"unavailable"}})").code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(StatusOfReply(R"({"error":{"description":"no code at all"}})").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(StatusOfReply(R"({"error":{"code":400,"err_code":10148,"description":"exists"}})").code(),
            absl::StatusCode::kAborted);
  const absl::Status refused =
      StatusOfReply(R"({"error":{"code":500,"err_code":10012,"description":"max waiting can not be updated"}})");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("max waiting can not be updated"));
}

TEST(ApiReplyTest, SurvivesWhatIsNoAnswer) {
  for (const char* text : {"", "null", "[]", "{", "\"text\"", "\xff\xfe", "-ERR"}) {
    EXPECT_EQ(StatusOfReply(text).code(), absl::StatusCode::kInternal) << text;
  }
  EXPECT_TRUE(ParseApiReply(R"({"error":"no object"})").ok());
  EXPECT_TRUE(ParseApiReply(R"({"error":{"code":"x","err_code":[],"description":7}})").ok());
}

}  // namespace
}  // namespace sluice::jetstream
