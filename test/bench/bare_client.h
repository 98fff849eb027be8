#pragma once

#include <cstdint>
#include <string>

namespace sluice::bench {

// Consumes `count` messages over one bare gRPC stream, acking each, with `credit` messages at most unanswered. Returns
// the seconds between the first frame and the last. `confirm`: until the server has confirmed each ack.
double ConsumeBare(const std::string& address, uint64_t count, uint32_t credit, bool confirm);

}  // namespace sluice::bench
