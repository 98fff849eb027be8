#include "core/app_stream.h"

namespace sluice::core {

absl::string_view ConsumerStateName(ConsumerState state) {
  switch (state) {
    case ConsumerState::kServing:
      return "SERVING";
    case ConsumerState::kNatsDown:
      return "NATS_DOWN";
    case ConsumerState::kConsumerMissing:
      return "CONSUMER_MISSING";
    case ConsumerState::kConsumerInvalid:
      return "CONSUMER_INVALID";
    case ConsumerState::kPaused:
      return "PAUSED";
    case ConsumerState::kPinnedElsewhere:
      return "PINNED_ELSEWHERE";
    case ConsumerState::kProbing:
      return "PROBING";
  }
  return "UNKNOWN";
}

}  // namespace sluice::core
