#include "sluice/messages.h"

#include "client-sdk/cpp/subscription.h"
#include "client-sdk/cpp/turn.h"

namespace sluice {

Messages::Iterator::Iterator(internal::Session* session) : session_(session) { ++*this; }
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
