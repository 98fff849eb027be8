#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/app_stream.h"
#include "core/session.h"

namespace sluice::test {

// An app stream that writes down all it is told, for tests that play the app by hand. Loop only.
class RecordingStream final : public core::AppStream {
 public:
  struct Given {
    uint64_t id;
    uint64_t stream_sequence;
    uint64_t num_delivered;
    std::string data;
    std::string token = {};
  };

  // core::AppStream
  bool writable() const override { return writable_; }
  void Deliver(absl::Span<const core::Delivery* const> batch) override;
  void Tell(core::Notice notice) override;
  void Finish(absl::Status status) override;

  // The peer stops reading, and goes on.
  void Block() { writable_ = false; }
  void Unblock(core::Session* session);

  const std::vector<Given>& given() const { return given_; }
  std::vector<uint64_t> ids() const;
  std::vector<uint64_t> sequences() const;
  // The id under which it was given last; 0: it was not.
  uint64_t id_of(uint64_t stream_sequence) const;
  size_t frames() const { return frames_; }

  const std::vector<core::Notice>& notices() const { return notices_; }
  // The last notice of this kind; null: none came.
  template <typename NoticeType>
  const NoticeType* last() const {
    for (auto it = notices_.rbegin(); it != notices_.rend(); ++it) {
      if (const auto* notice = std::get_if<NoticeType>(&*it)) return notice;
    }
    return nullptr;
  }
  // The outcomes told for an id, in order.
  std::vector<core::SettleOutcome> outcomes(uint64_t id) const;
  const std::optional<absl::Status>& finished() const { return finished_; }

 private:
  bool writable_ = true;
  size_t frames_ = 0;
  std::vector<Given> given_;
  std::vector<core::Notice> notices_;
  std::optional<absl::Status> finished_;
};

}  // namespace sluice::test
