#include "sluice/state.h"

namespace sluice {

const char* ToString(State state) {
  switch (state) {
    case State::kConnecting:
      return "connecting";
    case State::kServing:
      return "serving";
    case State::kNatsDown:
      return "nats down";
    case State::kConsumerMissing:
      return "consumer missing";
    case State::kConsumerInvalid:
      return "consumer invalid";
    case State::kPaused:
      return "paused";
    case State::kPinnedElsewhere:
      return "pinned elsewhere";
    case State::kProbing:
      return "probing";
    case State::kClosed:
      return "closed";
  }
  return "?";
}

}  // namespace sluice
