#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/app_stream.h"
#include "test/sim/sim_stream.h"

namespace sluice::test {

// How an app behaves. The default is a healthy one.
struct AppProfile {
  std::string client_id;  // empty: it cannot come back for what it held
  core::Credit credit;
  uint32_t max_batch = core::OpenRequest::kMaxBatch;
  int lanes = 4;  // messages it works on at once
  absl::Duration least_work = absl::ZeroDuration();
  absl::Duration most_work = absl::Milliseconds(5);
  absl::Duration most_write = absl::ZeroDuration();         // a slow reader takes so long for a frame
  absl::Duration settle_delay = absl::ZeroDuration();       // gathers its verdicts
  absl::Duration in_progress_every = absl::ZeroDuration();  // 0: leaves it to the daemon
  bool confirms = false;                                    // asks for the server's word on its verdicts
  bool resumable = false;                                   // asks for tokens, and comes back with them
  bool leaves_when_draining = false;                        // half-closes when it has nothing left to do
  // How often, 0..1.
  double naks = 0;
  double delays_nak = 0;  // of its NAKs
  double terms = 0;
  double hangs = 0;       // never says anything again; the lane is lost
  double forges = 0;      // brings tokens that are not its own, or none at all
  double misbehaves = 0;  // settles twice, or what it never had
};

// An app: takes messages, works on them for a while, says what became of them, comes back when its stream ends. What it
// knows outlives its streams, but not its crash. Loop only.
class SimApp final : private SimStream::App {
 public:
  SimApp(const SimContext& context, SimPod* pod, AppProfile profile, int* last_stream)
      : context_(context), pod_(pod), profile_(std::move(profile)), last_stream_(last_stream) {}
  ~SimApp() override { Forget(); }
  SimApp(const SimApp&) = delete;
  SimApp& operator=(const SimApp&) = delete;

  void Connect();
  // SIGKILL, and a new start a while later: maybe as another app.
  void Crash(absl::Duration down, AppProfile next);
  // The app takes its stream for gone, and opens another; the daemon notices after `unnoticed`.
  void LoseStream(absl::Duration down, absl::Duration unnoticed);
  void HalfClose();
  void Drain(absl::Duration timeout);
  void SetCredit(core::Credit credit);

  const AppProfile& profile() const { return profile_; }

 private:
  // A message that the app has, or has said something about.
  struct Work {
    enum class State { kQueued, kWorking, kDone, kSaid };
    uint64_t attempt = 0;
    uint64_t id = 0;
    int stream = 0;  // under which the id holds
    State state = State::kQueued;
    core::Verdict verdict = core::Verdict::kAck;
    std::string token;
  };
  static constexpr size_t kMostWorks = 4096;

  // SimStream::App
  void OnDeliveries(const std::vector<SimStream::Given>& batch) override;
  void OnNotice(const core::Notice& notice) override;
  void OnStreamEnded() override;

  bool CanResume() const { return !profile_.client_id.empty(); }
  bool MayBringToken(const Work& work) const;
  void NameWhatItHas(core::OpenRequest* request);
  void Reconnect(absl::Duration delay);
  void OnOpened(const core::OpenedNotice& opened);
  void LeaveStream();
  void Forget();
  void StartWork();
  void FinishWork(uint64_t key);
  void SayInProgress(uint64_t key);
  void Say(Work& work);
  void Flush();
  void LeaveIfIdle();
  bool Busy() const;
  core::Settlement Settlement(core::Verdict verdict);
  // Runs later, unless the app has crashed by then.
  void Later(absl::Duration delay, absl::AnyInvocable<void()> action);

  const SimContext context_;
  SimPod* const pod_;
  AppProfile profile_;
  int* const last_stream_;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::shared_ptr<SimStream> stream_;  // null: not connected
  int streams_number_ = 0;             // of the last stream
  absl::Time stream_ended_ = absl::InfinitePast();
  absl::Time drain_deadline_ = absl::InfiniteFuture();  // told on the last stream
  bool connecting_ = false;
  bool draining_ = false;
  std::map<uint64_t, Work> works_;  // by a key that only grows
  std::deque<uint64_t> queue_;
  uint64_t last_key_ = 0;
  int busy_lanes_ = 0;
  std::vector<std::pair<uint64_t, core::Settlement>> outgoing_;
};

}  // namespace sluice::test
