#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "test/bench/measure.h"

namespace sluice::bench {

// What an app does that is nothing but bare gRPC streams.
struct BareOptions {
  std::string address;
  std::vector<std::string> consumers = {"bench"};  // `streams` streams of each
  uint32_t streams = 1;
  bool connections = false;  // one for each stream, as apps of their own have; else one for all
  uint32_t credit = 256;     // messages, of each stream
  bool confirm = false;      // each ack confirmed by the server
  // Of each stream: so many messages are held at all times, beside those under way: the first ack is that of message
  // `hold` + 1. Its credit is that much larger.
  uint32_t hold = 0;
  bool resumable = false;  // a token in each delivery
  pid_t server = 0;        // whose CPU time is measured; 0: nobody's
};

// Acks `count` messages in all.
Measured ConsumeBare(const BareOptions& options, uint64_t count);

// Opens the streams with no credit, says "ready" when the daemon has opened them all, and keeps them until `signals`.
void IdleBare(const BareOptions& options, const sigset_t& signals);

}  // namespace sluice::bench
