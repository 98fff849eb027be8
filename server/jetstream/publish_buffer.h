#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "nats/nats.h"

namespace sluice::jetstream {

// Publications, put together as they go over the wire, for one write. cnats takes two locks for each, and the first in
// a millisecond wakes its flusher; acks come by the hundred.
class PublishBuffer {
 public:
  // Whether this cnats has what it needs; not one function may be called if not.
  static bool IsUsable();

  // `subject` and `reply`: without white space, as all that servers make. No reply: empty.
  void Add(absl::string_view subject, absl::string_view reply, absl::string_view payload);
  size_t size() const { return text_.size(); }  // bytes
  void Clear() { text_.clear(); }
  // To cnats, behind all that was published on `connection` before, to be written with what is published next. What is
  // not connected gets nothing, so that nothing is sent late: it is dropped.
  void HandOver(natsConnection* connection);
  // The same, and written now.
  void Write(natsConnection* connection);

 private:
  std::string text_;  // kept for its capacity
};

}  // namespace sluice::jetstream
