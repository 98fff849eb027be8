#include "sluice/message.h"

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/session.h"
#include "client-sdk/cpp/wire.h"

namespace sluice {

Message& Message::operator=(Message&& other) noexcept {
  const Message overwritten(std::move(*this));  // let go of, like one that is destroyed
  frame_ = std::move(other.frame_);
  index_ = other.index_;
  return *this;
}

Message::~Message() {
  if (frame_ && !frame_->held[index_].settled) Nak();
}

std::string_view Message::subject() const { return delivery().subject(); }
std::string_view Message::data() const { return delivery().data(); }
std::string_view Message::key() const { return delivery().key(); }
uint64_t Message::stream_sequence() const { return delivery().stream_sequence(); }
uint64_t Message::consumer_sequence() const { return delivery().consumer_sequence(); }
uint64_t Message::num_delivered() const { return delivery().num_delivered(); }
uint64_t Message::num_pending() const { return delivery().num_pending(); }

std::vector<std::pair<std::string_view, std::string_view>> Message::headers() const {
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  headers.reserve(delivery().headers_size());
  for (const v1::Header& header : delivery().headers()) headers.emplace_back(header.name(), header.value());
  return headers;
}

std::optional<std::string_view> Message::header(std::string_view name) const {
  for (const v1::Header& header : delivery().headers()) {
    if (header.name() == name) return header.value();
  }
  return std::nullopt;
}

std::chrono::system_clock::time_point Message::timestamp() const {
  return internal::ToTimePoint(delivery().timestamp());
}

bool Message::Settle(const Verdict& verdict) {
  return frame_ && frame_->session->Settle(frame_->held[index_], verdict);
}

void Message::InProgress() { frame_->session->InProgress(frame_->held[index_]); }

bool Message::cancelled() const { return frame_->held[index_].cancelled; }

std::chrono::system_clock::time_point Message::deadline() const {
  return frame_->session->Deadline(frame_->held[index_]);
}

const v1::Delivery& Message::delivery() const { return *frame_->held[index_].delivery; }

}  // namespace sluice
