#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "app/dev/pace.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "core/message_source.h"
#include "jetstream/connection.h"
#include "jetstream/publisher.h"

namespace sluice::dev {

// The publisher of the demo and what it asks of JetStream, on a loop and a thread of its own. Its methods are for one
// other thread; those that return a Status wait, a few seconds at most.
class Load {
 public:
  struct Names {
    std::string stream;
    std::string durable;
    std::string subject;
  };

  static absl::StatusOr<std::unique_ptr<Load>> Connect(const std::string& nats_url, Names names);
  ~Load();

  absl::Status CreateStream();
  absl::Status DeleteStream();
  // CONSUMER.INFO.
  absl::StatusOr<core::ConsumerInfo> Info();

  // Publishes messages of `size` bytes from now on; `rate` and `acked` as for Pace.
  void Start(uint64_t rate, size_t size);
  void SetAcked(uint64_t acked) { acked_ = acked; }
  // Publishes no more, and waits for the PubAcks.
  absl::Status Stop();

  struct Counts {
    uint64_t confirmed = 0;
    uint64_t unconfirmed = 0;
  };
  Counts counts() const { return {confirmed_, unconfirmed_}; }
  jetstream::ConnectionStatus connection();

 private:
  class Arrival;

  // How often it publishes what is due.
  static constexpr absl::Duration kTick = absl::Milliseconds(2);
  static constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
  static constexpr absl::Duration kStopTimeout = absl::Seconds(10);

  explicit Load(Names names);

  absl::Status Dial(const std::string& nats_url);
  void Tick(size_t size);
  // Runs `start(done)` on the loop and waits for done(result), or returns DEADLINE_EXCEEDED.
  template <typename Result>
  absl::StatusOr<Result> Await(absl::Duration timeout,
                               absl::AnyInvocable<void(absl::AnyInvocable<void(Result)>)> start);

  const Names names_;
  const base::SteadyClock clock_;
  base::EventLoop loop_{&clock_};

  std::atomic<uint64_t> acked_ = 0;
  std::atomic<uint64_t> confirmed_ = 0;
  std::atomic<uint64_t> unconfirmed_ = 0;

  // Loop only.
  std::unique_ptr<jetstream::Connection> connection_;
  std::unique_ptr<Arrival> arrival_;
  std::unique_ptr<jetstream::Publisher> publisher_;
  std::optional<Pace> pace_;  // while it publishes
  base::Timer tick_{&loop_.timers()};

  std::thread thread_;
};

}  // namespace sluice::dev
