#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/message.h"

namespace sluice::jetstream {

// Reads the numbers that JetStream puts into the reply subject of each message it delivers:
//
//   $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<timestamp>.<pending>
//   $JS.ACK.<domain>.<account hash>.<stream>.<consumer>.<delivered>. ... .<pending>[.<token>...]
//
// False, with `message` as it was, if `reply` is anything else; it may hold any bytes. The subject itself is not
// stored: the caller knows how long its bytes live.
bool ParseAckSubject(absl::string_view reply, core::Message& message);

// Of an ack subject: "<stream>.<consumer>". Empty: it is anything else.
absl::string_view ConsumerOf(absl::string_view reply);

// `reply`, a valid one, with another consumer sequence.
std::string AckSubjectAs(absl::string_view reply, uint64_t consumer_sequence);

// The ack subject of a message that `reply`'s stream will never hold: an in-progress there is answered in its turn, and
// touches nothing. `reply` is a valid one.
std::string AckSubjectOfNoMessage(absl::string_view reply);

}  // namespace sluice::jetstream
