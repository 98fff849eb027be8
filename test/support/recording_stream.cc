#include "test/support/recording_stream.h"

#include <algorithm>

namespace sluice::test {

void RecordingStream::Deliver(absl::Span<const core::Delivery* const> batch) {
  ++frames_;
  for (const core::Delivery* delivery : batch) {
    const core::Message& message = delivery->message;
    given_.push_back({delivery->id, message.stream_sequence, message.num_delivered, std::string(message.data),
                      std::string(delivery->token)});
  }
}

void RecordingStream::Tell(core::Notice notice) { notices_.push_back(std::move(notice)); }

void RecordingStream::Finish(absl::Status status) { finished_ = std::move(status); }

void RecordingStream::Unblock(core::Session* session) {
  writable_ = true;
  session->OnWritable();
}

std::vector<uint64_t> RecordingStream::ids() const {
  std::vector<uint64_t> ids;
  for (const Given& given : given_) ids.push_back(given.id);
  return ids;
}

std::vector<uint64_t> RecordingStream::sequences() const {
  std::vector<uint64_t> sequences;
  for (const Given& given : given_) sequences.push_back(given.stream_sequence);
  return sequences;
}

uint64_t RecordingStream::id_of(uint64_t stream_sequence) const {
  for (auto it = given_.rbegin(); it != given_.rend(); ++it) {
    if (it->stream_sequence == stream_sequence) return it->id;
  }
  return 0;
}

std::vector<core::SettleOutcome> RecordingStream::outcomes(uint64_t id) const {
  std::vector<core::SettleOutcome> outcomes;
  for (const core::Notice& notice : notices_) {
    const auto* results = std::get_if<core::SettleResultsNotice>(&notice);
    if (results == nullptr) continue;
    for (const auto& result : results->results) {
      if (std::count(result.ids.begin(), result.ids.end(), id) > 0) outcomes.push_back(result.outcome);
    }
  }
  return outcomes;
}

}  // namespace sluice::test
