/// @file
/// Messages as a range.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>

#include "sluice/consumption.h"
#include "sluice/message.h"

namespace sluice {

namespace internal {
struct Frame;
class Turn;
}  // namespace internal

/// The messages of a consumer as a range, for loops of one's own:
///
///     for (sluice::Message& m : client.Messages("orders")) { work(m.data()); m.Ack(); }
///
/// Ends when the consumption does. A message without a verdict at the end of its turn naks, unless it was moved away.
/// Several threads may each run a loop over the same Messages. In a drain, what waits while there is no loop is handed
/// back (NAK).
class Messages : public Consumption {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Message;
    using difference_type = std::ptrdiff_t;
    using pointer = Message*;
    using reference = Message&;

    Iterator(Iterator&&) noexcept;
    Iterator& operator=(Iterator&&) noexcept;
    ~Iterator();

    Message& operator*() { return *message_; }
    Message* operator->() { return &*message_; }
    Iterator& operator++();  ///< lets go of the message, then waits for the next
    bool operator==(std::default_sentinel_t) const { return !message_; }

   private:
    friend class Messages;
    class Loop;
    explicit Iterator(internal::Session* session);

    internal::Session* session_;
    std::unique_ptr<Loop> loop_;
    std::shared_ptr<internal::Frame> frame_;  // where the next message comes from
    std::unique_ptr<internal::Turn> turn_;    // of a message with a key; ends after the message
    std::optional<Message> message_;
  };

  using Consumption::Consumption;

  Iterator begin() { return Iterator(&session()); }  ///< waits for a message
  std::default_sentinel_t end() { return {}; }
};

}  // namespace sluice
