#pragma once

#include "config/config.h"
#include "config/reader.h"
#include "config/rule.h"

namespace sluice::config {

// Rules that nothing can be started against.
inline constexpr Rule kBackoffLongerThanMaxDeliver = {"backoff-longer-than-max-deliver", base::Severity::kError,
                                                      "the server refuses such a consumer",
                                                      "raise it, or shorten the backoff"};
inline constexpr Rule kDurableTwice = {"durable-twice", base::Severity::kError,
                                       "the two would take each other's messages",
                                       "keep one, and let the apps of both ask for it"};

inline constexpr Rule kDeadLetterLoop = {"dead-letter-loop", base::Severity::kError,
                                         "its dead letters would come back to it, and go round for ever",
                                         "choose a subject outside of its filter, best in a stream of its own"};

inline constexpr Rule kAckAllNeedsExclusive = {
    "ack-all-needs-exclusive", base::Severity::kError,
    "an ACK settles all messages before its own, and so those that another pod is at",
    "set ordering: exclusive, or leave ack_policy out"};
inline constexpr Rule kCoalesceNeedsAckAll = {"coalesce-acks-needs-ack-all", base::Severity::kError,
                                              "with ack_policy: explicit an ACK is one of its own message alone",
                                              "set config.ack_policy: all, or leave it out"};

// Complains about values that are good on their own but not together. `config` has been read through `reader`.
void Check(const Config& config, Reader& reader);

}  // namespace sluice::config
