#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "client-sdk/cpp/backoff.h"
#include "client-sdk/cpp/credit_window.h"
#include "client-sdk/cpp/inbox.h"
#include "client-sdk/cpp/ledger.h"
#include "client-sdk/cpp/outbox.h"
#include "client-sdk/cpp/stream.h"
#include "sluice/options.h"

namespace sluice::internal {

struct SessionOptions {
  std::string consumer;
  std::string client_id;
  std::chrono::milliseconds first_retry;
  std::chrono::milliseconds longest_retry;
  ConsumeOptions consume;  // within the contract's limits
};

// One consumption over all its streams.
//
//   CONNECTING --Opened--> OPEN ---(stream ends)---> CONNECTING, after a backoff
//                            '---(the app's drain is over, Stop(), a permanent error)---> closed
//
// Its own thread, in Run(), opens the streams, reads their notices, calls the hooks and waits; deliveries go from
// gRPC's thread to the inbox, verdicts from the app's threads to the outbox. Shared by its Subscription and by every
// frame, as a Message may outlive the Consumption.
class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(SessionOptions options);

  // Until closed. The calling thread is the session's own.
  void Run(v1::ConsumerService::Stub& stub);

  // --- for the app; any thread ---
  Inbox& inbox() { return inbox_; }
  bool Settle(Held& held, const Verdict& verdict);
  void InProgress(Held& held);
  std::chrono::system_clock::time_point Deadline(const Held& held) const;
  void StartDrain(std::optional<std::chrono::milliseconds> timeout);
  void StartStop();
  grpc::Status WaitClosed() const;
  bool closed() const;
  // `callback` is called once it is closed, on its thread, or at once. It must not wait.
  void NotifyClosed(std::function<void()> callback);
  DrainReport drain_report() const;
  Stats stats() const;
  const std::string& client_id() const { return options_.client_id; }
  void OnThrown(const std::string& what);
  void Forget(Frame& frame);

  // --- for Stream; gRPC's threads ---
  void OnDeliveries(std::shared_ptr<Frame> frame);
  void OnNotice(std::shared_ptr<Frame> frame);
  void OnReadsOver();
  void OnWritten(bool ok);
  void OnDone(const grpc::Status& status);

 private:
  using SteadyClock = std::chrono::steady_clock;
  // What the app wants; only ever grows.
  enum class Wish { kServe, kDrain, kStop };

  // Own thread.
  grpc::Status RunStream(v1::ConsumerService::Stub& stub);
  v1::ConsumeRequest OpenRequest(bool kept) const;
  bool StillKept() const;  // with the mutex
  void Serve(Stream& stream, std::unique_lock<std::mutex>& lock);
  void FollowWish(std::unique_lock<std::mutex>& lock);
  bool IsLast(const grpc::Status& end) const;
  bool AwaitRetry(const grpc::Status& end);
  void Close(const grpc::Status& end);
  void Handle(const v1::ConsumeResponse& notice);
  void OnOpened(const v1::Opened& opened);
  void OnSettleResults(const v1::SettleResults& results);
  void OnDraining(const v1::Draining& draining);
  void OnDrained(const v1::Drained& drained);
  void Tell(const std::vector<Settlement>& settlements);  // with the mutex
  void AdjustCredit();                                    // with the mutex
  void Write(std::unique_lock<std::mutex>& lock);         // unlocks
  template <typename Hook, typename... Args>
  void Call(const Hook& hook, const Args&... args);
  void TellState(State state, const std::string& detail) { Call(options_.consume.on_state, state, detail); }
  void TellError(grpc::StatusCode code, const std::string& message);

  const SessionOptions options_;
  Inbox inbox_;
  Backoff backoff_;  // own thread

  mutable std::mutex mutex_;  // guards all below; before the inbox's; never held while calling out
  mutable std::condition_variable changed_;
  CreditWindow credit_;
  Ledger ledger_;
  Outbox outbox_;
  Wish wish_ = Wish::kServe;
  std::optional<std::chrono::milliseconds> drain_timeout_;
  DrainReport drain_report_;
  bool closed_ = false;
  grpc::Status end_;
  std::vector<std::function<void()>> on_closed_;

  // The current stream.
  Stream* stream_ = nullptr;
  Wish followed_ = Wish::kServe;   // what it has been told
  std::shared_ptr<Frame> notice_;  // read, not handled yet
  bool reads_over_ = false;
  bool released_ = false;
  std::optional<grpc::Status> done_;
  SteadyClock::time_point give_up_;         // cancel it then
  std::chrono::milliseconds max_lease_{0};  // 0: not told
  std::optional<std::chrono::system_clock::time_point> drain_deadline_;
  bool drained_ = false;  // the daemon has given back what was left
  std::optional<SteadyClock::time_point> connected_since_;
  SteadyClock::time_point last_connected_{};
};

}  // namespace sluice::internal
