#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "test/sim/ledger.h"
#include "test/sim/sim_app.h"
#include "test/sim/sim_fetcher.h"
#include "test/sim/sim_pod.h"
#include "test/sim/trace.h"
#include "test/support/dice.h"
#include "test/support/model_jetstream.h"
#include "test/support/sim_clock.h"

namespace sluice::test {

// What may go wrong, and how often: mishaps per second of simulated time.
struct FaultMix {
  const char* name;
  double apps = 0;         // crashes, lost streams, half-closes, credit changes, drains of their own
  double nats = 0;         // disconnects, leader changes, restarts, 409s, refusals, pauses
  double deletes = 0;      // the consumer
  double drains = 0;       // of daemons, with a successor
  double kills = 0;        // of daemons
  bool odd_apps = false;   // some are slow, hang, misbehave
  bool exclusive = false;  // ordering: exclusive, in a fleet of two or three
  double stalls = 0;       // of daemons
  bool ack_all = false;    // ack_policy: all; with `exclusive`
};
inline std::ostream& operator<<(std::ostream& out, const FaultMix& mix) { return out << mix.name; }

// Some pods with a daemon each, some apps at each, one stream with one durable, and a seed that decides all the rest:
// settings, load, behaviour and mishaps. Then the mishaps end, healthy apps clear up, and everything is drained.
class Simulation {
 public:
  Simulation(uint64_t seed, const FaultMix& mix);

  // True if every rule of the ledger held.
  bool Run();

  std::string Explain() const;  // what broke, and the last lines of the trace
  uint64_t trace_hash() const { return trace_.hash(); }
  const Ledger& ledger() const { return ledger_; }
  uint64_t dead_letters() const { return dead_letters_->letters().size(); }
  uint64_t settled() const { return server_->published() - server_->unsettled(); }

 private:
  static ModelJetStream::Options ServerOptions(Dice& dice);
  static void MakeExclusive(Dice& dice, ModelJetStream::Options& options);
  core::ConsumerOptions ConsumerOptions();
  core::RedeliveryPolicy RedeliveryPolicy();
  core::DeadLetterPolicy DeadLetterPolicy(uint64_t max_attempts);
  ModelDeadLetterStream::Options DeadLetterOptions();
  ModelSource::Options SourceOptions();
  core::Credit RandomCredit();
  AppProfile RandomProfile(int app);
  AppProfile HealthyProfile();
  FetcherProfile RandomFetcher();
  SimContext context() {
    return {&loop_, &loop_.timers(), &dice_, &ledger_, server_.get(), dead_letters_.get(), &book_};
  }

  void PublishSome();
  void Every(double per_second, void (Simulation::*mishap)());
  void AppMishap();
  void NatsMishap();
  void DeleteMishap();
  void DrainMishap();
  void KillMishap();
  void StallMishap();
  void DeadLetterMishap();
  bool RunUntil(absl::Time limit, bool (Simulation::*done)() const);
  bool Never() const { return false; }
  bool AllSettled() const { return server_->unsettled() == 0; }
  bool AllServing() const;
  bool AllDrained() const;
  void Heal();
  void DrainAll();

  const uint64_t seed_;
  const FaultMix mix_;
  Dice dice_;
  SimLoop loop_;
  Trace trace_;
  TokenBook book_;
  Ledger ledger_;
  std::unique_ptr<ModelJetStream> server_;
  std::unique_ptr<ModelDeadLetterStream> dead_letters_;
  std::vector<std::unique_ptr<SimPod>> pods_;
  std::vector<std::unique_ptr<SimApp>> apps_;
  std::vector<std::unique_ptr<SimFetcher>> fetchers_;
  int last_stream_ = 0;
  absl::Time faults_end_;
  uint64_t to_publish_;
  int64_t keys_;  // of the messages: the last token of their subject
  double hot_;    // of how many the key is 1, whatever the others are
};

}  // namespace sluice::test
