#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/durable_config.h"
#include "jetstream/api_reply.h"
#include "jetstream/connection_options.h"
#include "jetstream/consumer_config.h"

namespace sluice::jetstream {

// A consumer to ask about.
struct SurveyQuestion {
  std::string stream;
  std::string durable;
  core::DurableConfig wanted;         // what to compare it with
  std::string dead_letter_subject{};  // empty: it has no dead letters
};

// What the server says of it. A missing stream has no consumers; all below `presence` is of one that is there.
struct SurveyAnswer {
  enum class Presence {
    kThere,
    kConsumerMissing,
    kStreamMissing,
    kUnknown,  // no answer, or a refusal: see `error`
  };

  Presence presence = Presence::kUnknown;
  std::string error{};  // of kUnknown
  core::DurableConfig config;
  std::vector<Difference> changeable;  // in which it is not as wanted, and an update helps
  std::vector<Difference> fixed;       // and an update does not help
  std::string deliver_subject;         // not empty: it is a push consumer
  std::string ack_policy;
  int64_t num_waiting = 0;                                // open pull requests, of the whole fleet
  absl::Duration pause_remaining = absl::ZeroDuration();  // 0: not paused

  // Where its dead letters go, whether or not it is there itself.
  struct DeadLetters {
    bool known = false;  // the server has answered
    std::string stream;  // that holds the subject; empty: none does
    absl::Duration duplicate_window;
  };
  DeadLetters dead_letters{};
};

struct Survey {
  std::string url;                    // of the server that was asked, without credentials
  std::string server_version;         // of it; empty: it does not tell (TLS from the first byte)
  std::vector<SurveyAnswer> answers;  // one per question, in their order
};

// From the answer to CONSUMER.INFO.
SurveyAnswer ParseSurveyAnswer(const ApiReply& reply, const core::DurableConfig& wanted);

// Looks at NATS as it is, and changes nothing there: it connects, asks CONSUMER.INFO for each question, which stream
// holds the dead letters and what its duplicate window is, and closes.
// Blocks, for `timeout` (beside 2 s per server that does not answer at all); needs no loop. UNAVAILABLE: not connected
// by then, and why. INVALID_ARGUMENT: as Connection::Connect().
absl::StatusOr<Survey> TakeSurvey(const ConnectionOptions& options, const std::vector<SurveyQuestion>& questions,
                                  absl::Duration timeout);

}  // namespace sluice::jetstream
