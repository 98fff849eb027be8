#include "sluice/messages.h"

#include "client-sdk/cpp/subscription.h"
#include "client-sdk/cpp/turn.h"

namespace sluice {

// A loop of the app's.
class Messages::Iterator::Loop {
 public:
  explicit Loop(internal::Session& session) : session_(session) { session_.OnLoop(+1); }
  Loop(const Loop&) = delete;
  ~Loop() { session_.OnLoop(-1); }

 private:
  internal::Session& session_;
};

Messages::Iterator::Iterator(internal::Session* session) : session_(session), loop_(std::make_unique<Loop>(*session)) {
  ++*this;
}
Messages::Iterator::Iterator(Iterator&&) noexcept = default;
Messages::Iterator& Messages::Iterator::operator=(Iterator&&) noexcept = default;
Messages::Iterator::~Iterator() = default;

Messages::Iterator& Messages::Iterator::operator++() {
  message_.reset();
  turn_.reset();
  message_ = session_->inbox().Next(frame_);
  if (message_ && internal::Turn::IsNeeded(*message_)) turn_ = std::make_unique<internal::Turn>(*message_);
  return *this;
}

}  // namespace sluice
