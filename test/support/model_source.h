#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/timers.h"
#include "core/message_source.h"
#include "test/support/dice.h"
#include "test/support/model_jetstream.h"

namespace sluice::test {

// A daemon's connection to ModelJetStream: everything takes a while in both directions, in order, and what is under way
// is lost when the connection breaks. Destroying it is the SIGKILL of its daemon. Loop only.
class ModelSource final : public core::MessageSource, private ModelJetStream::Client {
 public:
  struct Options {
    int owner = 1;        // names the daemon
    bool managed = true;  // Attach() creates a missing consumer
    absl::Duration least_latency = absl::Microseconds(100);
    absl::Duration most_latency = absl::Milliseconds(3);
    // Messages between the consumer's leader and this client's server are dropped by an UNSUB.
    bool cluster = false;
    uint64_t seed = 1;
  };

  ModelSource(ModelJetStream* server, base::Timers* timers, Options options, ModelJetStream::Witness* witness);
  ~ModelSource() override;

  // core::MessageSource
  void Start(Listener* listener) override;
  void Attach() override;
  void Pull(const core::PullRequest& request) override;
  void Settle(absl::string_view reply, const core::Settlement& settlement) override;
  void Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) override;
  void Fence(absl::string_view reply, uint64_t tag) override;
  void RequestInfo() override;
  void RenewPin(absl::string_view pin_id, uint64_t id) override;
  void Unpin() override;
  void CloseIntake() override;

  // The connection breaks and comes back after `down`. The server keeps sending to the dead connection for `unnoticed`.
  void Disconnect(absl::Duration down, absl::Duration unnoticed = absl::ZeroDuration());
  bool connected() const { return connection_ != nullptr; }

  static constexpr absl::Duration kAttachTimeout = absl::Seconds(5);
  static constexpr absl::Duration kRequestTimeout = absl::Seconds(2);

 private:
  // One connection. What is under way holds it weakly, and so is lost with it.
  struct Connection {
    int number = 0;
    absl::Time up_arrival = absl::InfinitePast();  // of what was sent last: order is kept
    absl::Time down_arrival = absl::InfinitePast();
  };
  // A call that is answered or times out.
  struct Request {
    explicit Request(base::Timers* timers) : timeout(timers) {}
    absl::AnyInvocable<void(absl::StatusOr<core::ConsumerInfo>)> done;
    base::Timer timeout;
  };
  using Action = absl::AnyInvocable<void()>;

  // ModelJetStream::Client
  int owner() const override { return options_.owner; }
  void OnFrames(int connection, std::vector<Frame> frames) override;
  void OnServerGone() override { Disconnect(absl::ZeroDuration()); }

  void Connect();
  void Up(Action arrive);
  void Down(Action arrive);
  absl::Time Travel(absl::Time& last_arrival);
  // Runs later unless this source is gone by then, whatever becomes of the connection.
  void Soon(absl::Duration delay, Action action);
  uint64_t Begin(absl::Duration timeout, absl::AnyInvocable<void(absl::StatusOr<core::ConsumerInfo>)> done);
  // Its answer ends a Confirm() or Fence().
  uint64_t BeginQuestion(uint64_t tag);
  void End(uint64_t request, absl::StatusOr<core::ConsumerInfo> result);
  void Receive(std::vector<Frame> frames);
  bool PullIsOpen() const { return open_left_ > 0 && timers_->now() < open_until_; }
  void EndIntake();
  void CheckPull(const core::PullRequest& request);
  void OnPullEnded(const core::PullStatus& status);
  void CheckUse(bool rule, absl::string_view what);

  ModelJetStream* const server_;
  base::Timers* const timers_;
  const Options options_;
  ModelJetStream::Witness* const witness_;
  Dice dice_;
  Listener* listener_ = nullptr;

  std::shared_ptr<Connection> connection_;  // null: not connected
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<int> connections_;  // all there were: the server may take an old one for alive
  base::Timer reconnect_;
  bool told_connected_ = false;
  bool attached_ = false;
  bool attaching_ = false;
  bool closing_ = false;
  bool intake_closed_ = false;
  uint64_t unsubscribed_drops_ = 0;  // frames sent before this number are dropped on the route
  uint64_t frames_sent_ = 0;

  uint64_t open_pull_ = 0;  // 0: none
  uint64_t open_left_ = 0;
  absl::Time open_until_;
  absl::Time open_silent_at_;  // heard nothing for two heartbeats: it may be given up
  absl::Duration open_heartbeat_;

  uint64_t last_request_ = 0;
  std::map<uint64_t, Request> requests_;
};

}  // namespace sluice::test
