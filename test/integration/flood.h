#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

typedef struct __natsConnection natsConnection;

namespace sluice::integration {

// Keeps a stream busy: publishes small messages at a rate, on a connection and a thread of its own, until it is
// destroyed. Nobody accounts for them; see Load for messages that are accounted for.
class Flood {
 public:
  static absl::StatusOr<std::unique_ptr<Flood>> Start(const std::string& url, const std::string& subject, int rate);
  ~Flood();

  // Messages per second since the start, as they were really published.
  double rate() const;

 private:
  Flood(natsConnection* nats, std::string subject, int rate);

  void Run();

  natsConnection* const nats_;
  const std::string subject_;
  const int rate_;
  const absl::Time started_;
  std::atomic<bool> ending_ = false;
  std::atomic<uint64_t> published_ = 0;
  std::thread thread_;  // last: it uses the others
};

}  // namespace sluice::integration
