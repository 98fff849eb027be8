#include "sluice/message.h"

#include <stdexcept>

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/session.h"

namespace sluice {

Message& Message::operator=(Message&& other) noexcept {
  const Message overwritten(std::move(*this));  // let go of, like one that is destroyed
  frame_ = std::move(other.frame_);
  index_ = other.index_;
  return *this;
}

Message::~Message() {
  if (frame_ && !held().settled) Nak();
}

std::string_view Message::subject() const { return delivery().subject; }
std::string_view Message::data() const { return delivery().data; }
std::string_view Message::key() const { return delivery().key; }
uint64_t Message::stream_sequence() const { return delivery().stream_sequence; }
uint64_t Message::consumer_sequence() const { return delivery().consumer_sequence; }
uint64_t Message::num_delivered() const { return delivery().num_delivered; }
uint64_t Message::num_pending() const { return delivery().num_pending; }

std::vector<std::pair<std::string_view, std::string_view>> Message::headers() const {
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  headers.reserve(delivery().end_header - delivery().first_header);
  for (size_t i = delivery().first_header; i < delivery().end_header; ++i) {
    headers.emplace_back(frame_->headers[i].name, frame_->headers[i].value);
  }
  return headers;
}

std::optional<std::string_view> Message::header(std::string_view name) const {
  for (size_t i = delivery().first_header; i < delivery().end_header; ++i) {
    if (frame_->headers[i].name == name) return frame_->headers[i].value;
  }
  return std::nullopt;
}

std::chrono::system_clock::time_point Message::timestamp() const {
  return std::chrono::system_clock::time_point(std::chrono::nanoseconds(delivery().stored_ns));
}

bool Message::Settle(const Verdict& verdict) { return frame_ && frame_->session->Settle(held(), verdict); }

bool Message::Settle(const Verdict& verdict, std::function<void(Outcome)> told) {
  if (!frame_) return false;
  if (!frame_->session->confirms()) {
    throw std::logic_error("set ConsumeOptions::confirm to be told the outcome of verdicts");
  }
  return frame_->session->Settle(held(), verdict, std::move(told));
}

std::future<Outcome> Message::Confirm(const Verdict& verdict) {
  const auto outcome = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> future = outcome->get_future();
  if (!Settle(verdict, [outcome](Outcome what) { outcome->set_value(what); })) outcome->set_value(Outcome::kNotHeld);
  return future;
}

void Message::InProgress() { frame_->session->InProgress(held()); }

bool Message::cancelled() const { return held().cancelled; }

std::stop_token Message::stop_token() const { return frame_->session->StopToken(held()); }

std::chrono::system_clock::time_point Message::deadline() const { return frame_->session->Deadline(held()); }

internal::Held& Message::held() const { return frame_->held[index_]; }

const internal::DeliveryView& Message::delivery() const { return *held().delivery; }

}  // namespace sluice
