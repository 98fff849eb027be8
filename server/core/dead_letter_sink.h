#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/dead_letter.h"
#include "core/message.h"

namespace sluice::core {

// Port: where the dead letters of one durable go, and where those come from that the server itself has given up.
// jetstream/ implements it over cnats, test/support with a model. Loop only; nothing blocks and nothing calls back from
// within a call.
class DeadLetterSink {
 public:
  // Told on the loop. Outlives the sink.
  class Listener {
   public:
    virtual ~Listener() = default;
    // Ends each Publish(). OK: a stream has it, from now on or from an earlier attempt. An error says what to do; it is
    // unknown then whether a stream has it.
    virtual void OnPublished(uint64_t tag, const absl::Status& status) = 0;
    // Ends each Fetch(). NOT_FOUND: it is not in the stream any more.
    virtual void OnFetched(uint64_t stream_sequence, absl::StatusOr<Message> message) = 0;
    // The server has given up a message of the durable after so many deliveries. One daemon of the fleet is told, once;
    // none if none is connected.
    virtual void OnGivenUp(uint64_t stream_sequence, uint64_t deliveries) = 0;
  };

  virtual ~DeadLetterSink() = default;

  // Once, before anything else.
  virtual void Start(Listener* listener) = 0;
  // Ends by itself after 5 s.
  virtual void Publish(const DeadLetter& letter, uint64_t tag) = 0;
  // The message of the durable's stream; ends by itself after 5 s. One at a time for each sequence.
  virtual void Fetch(uint64_t stream_sequence) = 0;
  // No OnGivenUp() any more: the other daemons are told.
  virtual void StopListening() = 0;
};

}  // namespace sluice::core
