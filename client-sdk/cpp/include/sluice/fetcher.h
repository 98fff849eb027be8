/// @file
/// Messages on demand.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "sluice/consumption.h"
#include "sluice/message.h"

namespace sluice {

/// The messages of a consumer on demand:
///
///     auto orders = client.Fetcher("orders");
///     for (sluice::Message& m : orders.Fetch(100, std::chrono::seconds(5))) { work(m.data()); m.Ack(); }
///
/// The stream stays open, but asks for nothing between fetches: other apps of the consumer get it all. A message that
/// comes too late for its fetch waits for the next one, a second at most, and is then handed back (NAK).
class Fetcher : public Consumption {
 public:
  using Consumption::Consumption;

  /// Takes up to `n` messages (1..1,048,576), and returns when there are so many, or when after the first for 10 ms
  /// nothing more has come, after 100 ms at the latest. Empty: there was none, or the fetcher has been drained or
  /// stopped. Several threads may fetch at once.
  /// @param max_wait  for the first message; less than 100 ms counts as that, as it takes the daemon to ask for one.
  std::vector<Message> Fetch(size_t n, std::chrono::milliseconds max_wait = std::chrono::seconds(5));
};

}  // namespace sluice
