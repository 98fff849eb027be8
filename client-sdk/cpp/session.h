#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "client-sdk/cpp/backoff.h"
#include "client-sdk/cpp/confirmations.h"
#include "client-sdk/cpp/credit_window.h"
#include "client-sdk/cpp/ending.h"
#include "client-sdk/cpp/hooks.h"
#include "client-sdk/cpp/inbox.h"
#include "client-sdk/cpp/ledger.h"
#include "client-sdk/cpp/outbox.h"
#include "client-sdk/cpp/poller.h"
#include "client-sdk/cpp/stream.h"
#include "sluice/options.h"

namespace sluice::internal {

// Who takes the messages: threads of its own, as many loops of the app's as there are (maybe none), or fetches; those
// say by Want() how much there is to be.
enum class Style : uint8_t { kHandled, kLooped, kFetched };

struct SessionOptions {
  std::string consumer;
  std::string client_id;
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds longest_retry{5000};
  Log log{};
  ConsumeOptions consume{};  // within the contract's limits
  Style style = Style::kHandled;
  bool in_lanes = true;  // false: messages are worked on one after the other anyway
};

// One consumption over all its streams.
//
//   CONNECTING --Opened--> OPEN ---(stream ends)---> CONNECTING, after a backoff
//                            '---(the app's drain is over, Stop(), a permanent error)---> closed
//
// Its own thread, in Run(), opens the streams, reads their notices, calls the hooks and waits; deliveries go from
// the poller's thread to the inbox, verdicts from the app's threads to the outbox. How it ends is the Ending's to say,
// what it owes is in the Ledger. Shared by its Subscription and by every frame, as a Message may outlive the
// Consumption.
class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(SessionOptions options);

  // Until closed. The calling thread is the session's own.
  void Run(ConsumeStub& stub, Poller& poller);

  // --- for the app; any thread ---
  Inbox& inbox() { return inbox_; }
  Hooks& hooks() { return hooks_; }
  // `told` may be empty.
  bool Settle(Held& held, const Verdict& verdict, std::function<void(Outcome)> told = {});
  // Those that have no verdict yet, and were not moved away.
  void SettleAll(std::span<Message> messages, const Verdict& verdict);
  // What a handler's thread has settled goes out now: it looks for its next frame.
  void Flush();
  bool confirms() const { return options_.consume.confirm; }
  void InProgress(Held& held);
  void LeaveLane(Held& held);
  std::stop_token StopToken(Held& held);
  std::chrono::system_clock::time_point Deadline(const Held& held) const;
  // A fetch waits for so many messages more, or fewer.
  void Want(int64_t more);
  // A loop has begun, or ended.
  void OnLoop(int more);
  void StartDrain(std::optional<std::chrono::milliseconds> timeout);
  void StartStop();
  grpc::Status WaitClosed() const;
  bool closed() const;
  // `callback` is called once it is closed, on its thread, or at once. It must not wait.
  void NotifyClosed(std::function<void()> callback);
  DrainReport drain_report() const;
  State state() const;
  Stats stats() const;
  const std::string& client_id() const { return options_.client_id; }
  const ConsumeOptions& options() const { return options_.consume; }
  void OnThrown(const std::string& what);
  void Forget(Frame& frame);

  // --- for Stream; the poller's thread ---
  void OnDeliveries(std::shared_ptr<Frame> frame);
  void OnNotice(std::unique_ptr<v1::ConsumeResponse> notice);
  void OnReadsOver();
  void OnWritten(bool ok);
  void OnDone(const grpc::Status& status);

 private:
  using SteadyClock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  // Own thread.
  grpc::Status RunStream(ConsumeStub& stub, Poller& poller);
  v1::ConsumeRequest OpenRequest();
  void Serve(Stream& stream, Lock& lock);
  void HandleNotice(Stream& stream, Lock& lock);
  void FollowWish(Lock& lock);
  void DoChores(Lock& lock);
  bool AwaitRetry(const grpc::Status& end);
  void Close(const grpc::Status& end);
  void Handle(const v1::ConsumeResponse& notice);
  void OnOpened(const v1::Opened& opened);
  void OnSettleResults(const v1::SettleResults& results);
  void OnLeasesEnded(const v1::LeasesEnded& ended);
  void OnDraining(const v1::Draining& draining);
  void OnDrained(const v1::Drained& drained);
  void TellState(State state, const std::string& detail);
  void TellStats(Lock& lock);

  // Any thread.
  void SettleOne(Held& held, const Verdict& verdict, std::function<void(Outcome)> told, Confirmations::Dues& due);
  void TellOutcomes(const Confirmations::Dues& due);
  void AssignLanes(const std::shared_ptr<Frame>& frame);
  uint64_t LaneOf(const std::shared_ptr<Frame>& frame, size_t index);

  // With the mutex.
  uint32_t Wanted() const;
  void AdjustCredit(uint64_t held);
  void SendCredit();
  void KeepForNextFetch();
  bool HandsBack() const;  // what waits: the daemon knows of the drain, and it is not to be worked off here
  void Tell(const std::vector<Settlement>& settlements);
  void Write(Lock& lock);      // unlocks
  void WriteSoon(Lock& lock);  // unlocks
  void Announce(Lock& lock);   // unlocks: what the ledger has cancelled is told

  const SessionOptions options_;
  Hooks hooks_;
  Inbox inbox_;
  Backoff backoff_;     // own thread
  bool keyed_ = false;  // poller's thread: some message may have to wait for its key, while handlers have nothing to do

  mutable std::mutex mutex_;  // guards all below; before the inbox's; never held while calling out
  mutable std::condition_variable changed_;
  CreditWindow credit_;
  Ledger ledger_;
  Outbox outbox_;
  Confirmations confirmations_;
  Ending ending_;
  State state_ = State::kConnecting;
  int64_t wanted_ = 0;  // messages, by the fetches that wait
  int loops_ = 0;
  uint32_t asked_ = 0;  // the credit that the daemon was given last
  bool closed_ = false;
  grpc::Status end_;
  std::vector<std::function<void()>> on_closed_;

  // The current stream.
  Stream* stream_ = nullptr;
  std::unique_ptr<v1::ConsumeResponse> notice_;  // read, not handled yet
  bool reads_over_ = false;
  bool released_ = false;
  std::optional<grpc::Status> done_;
  std::chrono::milliseconds max_lease_{0};  // 0: not told
  SteadyClock::time_point wrote_at_;

  // Chores of its own thread.
  SteadyClock::time_point hand_back_at_;  // what waits for nobody
  SteadyClock::time_point write_at_;      // verdicts that wait for more
  bool write_is_near_ = false;            // `write_at_` is
  SteadyClock::time_point tell_stats_at_;
  Stats told_stats_;
};

}  // namespace sluice::internal
