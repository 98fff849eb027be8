#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "core/app_stream.h"
#include "core/session.h"
#include "test/sim/ledger.h"
#include "test/support/dice.h"
#include "test/support/sim_clock.h"
#include "test/support/token_book.h"

namespace sluice::test {

class SimPod;

// What a simulation has one of.
struct SimContext {
  SimLoop* loop;
  base::Timers* timers;  // its
  Dice* dice;
  Ledger* ledger;
  ModelJetStream* server;
  ModelDeadLetterStream* dead_letters;
  TokenBook* book;
};

// One app stream, with both its ends and what is under way between them, in order. Kept by the app, and by what is
// under way. Loop only.
class SimStream final : public core::AppStream, public std::enable_shared_from_this<SimStream> {
 public:
  struct Given {
    uint64_t id;
    uint64_t attempt;
    std::string token;
  };
  // The app's end; called as long as it has not let go.
  class App {
   public:
    virtual ~App() = default;
    virtual void OnDeliveries(const std::vector<Given>& batch) = 0;
    virtual void OnNotice(const core::Notice& notice) = 0;
    // It is over, or was never opened.
    virtual void OnStreamEnded() = 0;
  };

  // `most_write`: how long the app takes at most to read a frame.
  SimStream(const SimContext& context, int number, App* app, absl::Duration most_write)
      : context_(context), number_(number), app_(app), most_write_(most_write) {}

  // --- the app's end ---
  void Open(SimPod* pod, core::OpenRequest request);
  void Settle(std::vector<std::pair<uint64_t, core::Settlement>> verdicts);
  void SetCredit(core::Credit credit);
  void Drain(absl::Duration timeout);
  void HalfClose();
  // The app is gone, or takes the stream for gone: the daemon learns of it after `unnoticed`.
  void Break(absl::Duration unnoticed);

  // --- the daemon's end ---
  int number() const { return number_; }
  void OnDaemonGone();
  bool writable() const override { return !writing_; }
  void Deliver(absl::Span<const core::Delivery* const> batch) override;
  void Tell(core::Notice notice) override;
  void Finish(absl::Status status) override;

 private:
  // At the daemon, once it runs.
  void AtDaemon(absl::AnyInvocable<void()> action);
  absl::Time Travel(absl::Time& last_arrival, absl::Duration extra = absl::ZeroDuration());
  void Up(absl::AnyInvocable<void(core::Session*)> arrive);
  void Down(absl::AnyInvocable<void(App*)> arrive, absl::Duration extra = absl::ZeroDuration());

  const SimContext context_;
  const int number_;
  App* app_;               // null: it let go
  SimPod* pod_ = nullptr;  // once it is opened
  const absl::Duration most_write_;
  core::Session* session_ = nullptr;  // null: not open yet, or over
  bool writing_ = false;
  bool up_lost_ = false;  // what is under way to the daemon will not arrive
  absl::Time up_arrival_ = absl::InfinitePast();
  absl::Time down_arrival_ = absl::InfinitePast();
};

}  // namespace sluice::test
