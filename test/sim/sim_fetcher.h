#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "core/unary_access.h"
#include "test/sim/sim_stream.h"

namespace sluice::test {

// How a caller behaves. The default is a healthy one.
struct FetcherProfile {
  core::FetchRequest request;
  absl::Duration most_work = absl::Milliseconds(5);  // on all of an answer
  // How often, 0..1.
  double naks = 0;
  double terms = 0;
  double says_in_progress = 0;
  double goes_away = 0;     // while it waits
  double loses_answer = 0;  // the response does not reach it
  double forgets = 0;       // never settles; of messages
  double misbehaves = 0;    // names something twice, or what it never had
};

// An app that calls: fetches, works, settles, and again. What it knows does not outlive its daemon. Loop only.
class SimFetcher {
 public:
  SimFetcher(const SimContext& context, SimPod* pod, const FetcherProfile& profile, int* last_stream)
      : context_(context), pod_(pod), profile_(profile), last_stream_(last_stream) {}
  SimFetcher(const SimFetcher&) = delete;
  SimFetcher& operator=(const SimFetcher&) = delete;

  void Start() { Fetch(); }
  // SIGKILL, for good. What it has fetched is nobody's.
  void Stop() { alive_ = nullptr; }

 private:
  struct Work {
    uint64_t id;
    uint64_t attempt;
    core::Verdict verdict = core::Verdict::kAck;
  };
  // One Fetch and what it came to. Outlives what is under way.
  struct Call {
    int stream;
    int daemon;
    uint64_t number = 0;  // in core
    bool ended = false;
    std::vector<Work> works;
  };
  using CallPtr = std::shared_ptr<Call>;

  void Fetch();
  void OnFetched(const CallPtr& call, const core::FetchResult& result);
  void GoAway(const CallPtr& call);
  void LoseAnswer(const CallPtr& call);
  void SayInProgress(const CallPtr& call);
  void FinishWork(const CallPtr& call);
  void SettleNext(const CallPtr& call);
  void Settle(const CallPtr& call, std::vector<uint64_t> ids, core::Settlement settlement,
              absl::AnyInvocable<void()> then);
  bool DaemonLives(const Call& call) const;
  absl::Duration Latency();
  // Runs later, unless it was stopped by then.
  void Later(absl::Duration delay, absl::AnyInvocable<void()> action);

  const SimContext context_;
  SimPod* const pod_;
  const FetcherProfile profile_;
  int* const last_stream_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::test
