#pragma once

#include <memory>
#include <utility>

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/session.h"
#include "sluice/message.h"

namespace sluice::internal {

// The time that a message of a key is with a handler. Its lane is free for the next one when this has ended and the
// message is settled, whichever comes last. Costs nothing for a message without a key. Any one thread.
class Turn {
 public:
  static bool IsNeeded(const Message& message) { return message.held().lane != 0; }

  explicit Turn(const Message& message) {
    if (!IsNeeded(message)) return;
    frame_ = message.frame_;
    held_ = &message.held();
  }
  Turn(Turn&& other) noexcept : frame_(std::move(other.frame_)), held_(std::exchange(other.held_, nullptr)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (held_ != nullptr) frame_->session->LeaveLane(*held_);
  }

 private:
  std::shared_ptr<Frame> frame_;
  Held* held_ = nullptr;
};

// A look at a message that nobody owes a verdict for: it may still wait, and its end settles nothing.
class View {
 public:
  View(std::shared_ptr<Frame> frame, size_t index) : message_(std::move(frame), index) {}
  View(const View&) = delete;
  ~View() { message_.frame_.reset(); }

  const Message& operator*() const { return message_; }

 private:
  Message message_;
};

}  // namespace sluice::internal
