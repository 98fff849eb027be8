#include "test/sim/simulation.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace sluice::test {
namespace {

using core::PullStatus;

constexpr absl::Duration kLeastActive = absl::Seconds(4);
constexpr absl::Duration kMostActive = absl::Seconds(12);
// Long only for a hot key of which one message may wait: with BackOff each comes again after seconds.
constexpr absl::Duration kMostHealing = absl::Seconds(400);
constexpr absl::Duration kLastDrain = absl::Seconds(20);

constexpr PullStatus::Kind kRefusals[] = {PullStatus::Kind::kLimitExceeded, PullStatus::Kind::kUnknown,
                                          PullStatus::Kind::kBadRequest, PullStatus::Kind::kPushBased,
                                          PullStatus::Kind::kExpired};

}  // namespace

// -------------------------------------------------------------------------------------------------------------
// settings

Simulation::Simulation(uint64_t seed, const FaultMix& mix)
    : seed_(seed),
      mix_(mix),
      dice_(seed),
      trace_(&loop_.timers()),
      ledger_(&loop_.timers(), &trace_, &book_, mix.nats == 0 && mix.deletes == 0) {
  ModelJetStream::Options server_options = ServerOptions(dice_);
  if (mix.exclusive) MakeExclusive(dice_, server_options);
  server_options.ack_all = mix.ack_all;
  server_ = std::make_unique<ModelJetStream>(&loop_.timers(), std::move(server_options), &ledger_);
  ledger_.Watch(server_.get());
  dead_letters_ =
      std::make_unique<ModelDeadLetterStream>(server_.get(), &loop_.timers(), DeadLetterOptions(), &ledger_);
  ledger_.Watch(dead_letters_.get());
  const core::ConsumerOptions options = ConsumerOptions();
  const ModelSource::Options source_options = SourceOptions();
  const int pods = static_cast<int>(dice_.Between(mix.exclusive ? 2 : 1, 3));
  for (int slot = 1; slot <= pods; ++slot) {
    pods_.push_back(std::make_unique<SimPod>(context(), slot, options, source_options));
    const int apps = static_cast<int>(dice_.Between(1, 2));
    for (int app = 0; app < apps; ++app) {
      const AppProfile profile = RandomProfile(static_cast<int>(apps_.size()));
      apps_.push_back(std::make_unique<SimApp>(context(), pods_.back().get(), profile, &last_stream_));
    }
  }
  // Not where daemons stall: a call goes straight into its daemon.
  for (int64_t fetchers = mix.stalls == 0 && dice_.Chance(0.5) ? dice_.Between(1, 3) : 0; fetchers > 0; --fetchers) {
    fetchers_.push_back(
        std::make_unique<SimFetcher>(context(), dice_.Pick(pods_).get(), RandomFetcher(), &last_stream_));
  }
  to_publish_ = dice_.Between(20, 150);
  keys_ = dice_.Between(1, 20);
  hot_ = dice_.Chance(0.3) ? 0.7 : 0;
  faults_end_ = loop_.now() + dice_.Between(kLeastActive, kMostActive);
}

ModelJetStream::Options Simulation::ServerOptions(Dice& dice) {
  ModelJetStream::Options options;
  core::ConsumerInfo& consumer = options.consumer;
  consumer.ack_wait = dice.Between(absl::Seconds(1), absl::Seconds(5));
  if (dice.Chance(0.3)) {
    const absl::Duration first = dice.Between(absl::Seconds(1), absl::Seconds(2));
    consumer.backoff = {first, first * 2, first * 3};
    consumer.ack_wait = first;
  }
  if (dice.Chance(0.3)) consumer.max_deliver = dice.Between(4, 8);
  consumer.max_ack_pending = dice.Chance(0.3) ? dice.Between(1, 20) : 1000;
  if (dice.Chance(0.2)) consumer.max_request_batch = dice.Between(1, 10);
  if (dice.Chance(0.1)) consumer.max_request_max_bytes = dice.Between(2000, 20'000);
  if (dice.Chance(0.1)) consumer.max_request_expires = absl::Milliseconds(500);
  options.stale_waiters = dice.Chance(0.5);
  if (dice.Chance(0.4)) options.most_replication = dice.Between(absl::Milliseconds(1), absl::Milliseconds(20));
  options.seed = dice.Seed();
  return options;
}

void Simulation::MakeExclusive(Dice& dice, ModelJetStream::Options& options) {
  options.consumer.priority_timeout = dice.Between(absl::Milliseconds(500), absl::Seconds(3));
  options.stale_waiters = false;  // of older servers
}

core::ConsumerOptions Simulation::ConsumerOptions() {
  core::ConsumerOptions options;
  options.name = "orders";
  options.stream = "S";
  options.durable = "C";
  options.pull_batch = static_cast<uint32_t>(dice_.Between(1, 64));
  options.pull_expires = dice_.Between(absl::Milliseconds(300), absl::Seconds(2));
  options.lease_max = dice_.Chance(0.3) ? dice_.Between(absl::Seconds(2), absl::Seconds(8)) : absl::Minutes(10);
  options.resume_window = dice_.Between(absl::Milliseconds(100), absl::Seconds(3));
  if (dice_.Chance(0.5)) {
    options.ordering = core::Ordering::kKey;
    options.key.subject_token = dice_.Chance(0.5) ? 2 : -1;
    options.waiting_share = static_cast<uint32_t>(dice_.Between(1, 100));
  }
  if (mix_.exclusive) {
    options.ordering = core::Ordering::kExclusive;
    if (dice_.Chance(0.7)) options.key.subject_token = 2;
  }
  if (mix_.ack_all) {
    options.ack_all = true;
    options.coalesce_acks = dice_.Chance(0.7);
    if (dice_.Chance(0.5)) options.max_unacked = dice_.Between(1, 30);
  }
  options.redelivery = RedeliveryPolicy();
  if (dice_.Chance(0.2)) {
    options.app_health.failures = static_cast<uint32_t>(dice_.Between(1, 4));
    options.app_health.window = dice_.Between(absl::Seconds(1), absl::Seconds(30));
  }
  if (dice_.Chance(0.6)) options.dead_letter = DeadLetterPolicy(options.redelivery.max_attempts);
  return options;
}

core::RedeliveryPolicy Simulation::RedeliveryPolicy() {
  core::RedeliveryPolicy policy;
  if (dice_.Chance(0.3)) {
    policy.backoff = {dice_.Between(absl::Milliseconds(1), absl::Seconds(1)), absl::Seconds(2)};
  } else if (dice_.Chance(0.5)) {
    policy.initial = dice_.Between(absl::Milliseconds(1), absl::Milliseconds(500));
    policy.max = absl::Seconds(3);
    policy.jitter = 0.2;
  }
  if (dice_.Chance(0.5)) policy.max_attempts = dice_.Between(1, 5);
  policy.delayed_share = static_cast<uint32_t>(dice_.Between(1, 100));
  return policy;
}

core::DeadLetterPolicy Simulation::DeadLetterPolicy(uint64_t max_attempts) {
  core::DeadLetterPolicy policy;
  policy.subject = "dead.orders";
  policy.on_term = dice_.Chance(0.5);
  if (dice_.Chance(0.3)) policy.max_deliveries = max_attempts + dice_.Between(1, 4);
  return policy;
}

ModelDeadLetterStream::Options Simulation::DeadLetterOptions() {
  ModelDeadLetterStream::Options options;
  if (dice_.Chance(0.5)) {
    options.refuses = dice_.Chance(0.5) ? 0.3 : 0;
    options.loses = dice_.Chance(0.5) ? 0.2 : 0;
    options.forgets = dice_.Chance(0.5) ? 0.2 : 0;
    options.unheard = dice_.Chance(0.2) ? 0.3 : 0;
  }
  if (dice_.Chance(0.2)) options.most_latency = absl::Milliseconds(500);
  options.seed = dice_.Seed();
  return options;
}

ModelSource::Options Simulation::SourceOptions() {
  ModelSource::Options options;
  options.most_latency = dice_.Chance(0.2) ? absl::Milliseconds(30) : absl::Milliseconds(3);
  options.cluster = dice_.Chance(0.5);
  return options;
}

core::Credit Simulation::RandomCredit() {
  core::Credit credit;
  credit.messages = static_cast<uint32_t>(dice_.Between(1, 40));
  if (dice_.Chance(0.3)) credit.bytes = dice_.Between(200, 4000);
  return credit;
}

AppProfile Simulation::HealthyProfile() {
  AppProfile profile;
  profile.credit.messages = 64;
  profile.resumable = dice_.Chance(0.5);
  profile.confirms = dice_.Chance(0.5);
  return profile;
}

AppProfile Simulation::RandomProfile(int app) {
  AppProfile profile;
  if (dice_.Chance(0.6)) profile.client_id = absl::StrCat("app-", app);
  profile.resumable = dice_.Chance(0.7);
  if (dice_.Chance(0.3)) profile.forges = 0.3;
  profile.credit = RandomCredit();
  profile.max_batch = static_cast<uint32_t>(dice_.Chance(0.5) ? dice_.Between(1, 8) : 256);
  profile.lanes = static_cast<int>(dice_.Between(1, 8));
  profile.most_work = dice_.Between(absl::Milliseconds(1), absl::Milliseconds(200));
  if (dice_.Chance(0.3)) profile.settle_delay = dice_.Between(absl::Milliseconds(1), absl::Milliseconds(50));
  profile.confirms = dice_.Chance(0.4);
  profile.leaves_when_draining = dice_.Chance(0.5);
  if (dice_.Chance(0.3)) profile.naks = 0.1;
  if (dice_.Chance(0.5)) profile.delays_nak = 0.5;
  if (dice_.Chance(0.2)) profile.terms = 0.05;
  if (dice_.Chance(0.2)) profile.in_progress_every = dice_.Between(absl::Milliseconds(100), absl::Seconds(1));
  if (!mix_.odd_apps) return profile;
  if (dice_.Chance(0.3)) profile.most_work = dice_.Between(absl::Seconds(1), absl::Seconds(10));
  if (dice_.Chance(0.3)) profile.most_write = dice_.Between(absl::Milliseconds(1), absl::Milliseconds(500));
  if (dice_.Chance(0.2)) profile.hangs = 0.05;
  if (dice_.Chance(0.3)) profile.misbehaves = 0.2;
  return profile;
}

FetcherProfile Simulation::RandomFetcher() {
  FetcherProfile profile;
  profile.request.batch = static_cast<uint32_t>(dice_.Chance(0.3) ? 1 : dice_.Between(1, 40));
  profile.request.max_wait =
      dice_.Chance(0.2) ? absl::ZeroDuration() : dice_.Between(absl::ZeroDuration(), absl::Seconds(3));
  if (dice_.Chance(0.3)) profile.request.max_bytes = dice_.Between(1, 4000);
  if (dice_.Chance(0.7)) profile.request.lease = dice_.Between(absl::Milliseconds(200), absl::Seconds(4));
  profile.most_work = dice_.Between(absl::Milliseconds(1), absl::Milliseconds(500));
  if (dice_.Chance(0.3)) profile.naks = 0.1;
  if (dice_.Chance(0.2)) profile.terms = 0.05;
  if (dice_.Chance(0.3)) profile.says_in_progress = 0.5;
  if (mix_.apps == 0 && !mix_.odd_apps) return profile;
  if (dice_.Chance(0.5)) profile.goes_away = 0.3;
  if (dice_.Chance(0.5)) profile.loses_answer = 0.2;
  if (dice_.Chance(0.5)) profile.forgets = 0.2;
  if (dice_.Chance(0.5)) profile.misbehaves = 0.2;
  if (dice_.Chance(0.3)) profile.most_work = absl::Seconds(5);
  return profile;
}

// ------------------------------------------------------------------------------------------------------------------
// run

bool Simulation::Run() {
  for (auto& pod : pods_) pod->Start();
  for (auto& app : apps_) app->Connect();
  for (auto& fetcher : fetchers_) fetcher->Start();
  PublishSome();
  Every(mix_.apps, &Simulation::AppMishap);
  Every(mix_.nats, &Simulation::NatsMishap);
  Every(mix_.deletes, &Simulation::DeleteMishap);
  Every(mix_.drains, &Simulation::DrainMishap);
  Every(mix_.kills, &Simulation::KillMishap);
  Every(mix_.stalls, &Simulation::StallMishap);
  Every(0.1, &Simulation::DeadLetterMishap);
  RunUntil(faults_end_, &Simulation::Never);
  Heal();
  if (!RunUntil(loop_.now() + kMostHealing, &Simulation::AllSettled)) ledger_.CheckAllSettled();
  if (!RunUntil(loop_.now() + kMostHealing, &Simulation::AllServing)) ledger_.Fail("a daemon does not come back");
  DrainAll();
  if (!RunUntil(loop_.now() + 2 * kLastDrain, &Simulation::AllDrained)) ledger_.Fail("the last drain does not end");
  if (server_->num_ack_pending() > 0 && AllSettled()) ledger_.Fail("settled, but still pending");
  ledger_.CheckDeadLetters();
  return !ledger_.failed();
}

bool Simulation::RunUntil(absl::Time limit, bool (Simulation::*done)() const) {
  while (!ledger_.failed() && !(this->*done)()) {
    if (!loop_.Step(limit)) return (this->*done)();
  }
  return true;
}

std::string Simulation::Explain() const {
  return absl::StrCat("mix ", mix_.name, ", SEED=", seed_, ": ", ledger_.failure(), "\n", trace_.ToString());
}

// In bursts, at random moments, until all are there.
void Simulation::PublishSome() {
  for (int64_t burst = dice_.Between(1, 20); burst > 0 && to_publish_ > 0; --burst, --to_publish_) {
    const int64_t size = dice_.Chance(0.05) ? dice_.Between(1000, 6000) : dice_.Between(0, 300);
    const int64_t key = dice_.Chance(hot_) ? 1 : dice_.Between(1, keys_);
    server_->Publish(absl::StrCat("orders.", key), std::string(size, 'x'));
  }
  if (to_publish_ == 0) return;
  loop_.timers().After(dice_.Between(absl::ZeroDuration(), absl::Milliseconds(800)), [this] { PublishSome(); });
}

void Simulation::Every(double per_second, void (Simulation::*mishap)()) {
  if (per_second <= 0) return;
  const absl::Duration mean = absl::Seconds(1) / per_second;
  loop_.timers().After(dice_.Between(absl::ZeroDuration(), 2 * mean), [this, per_second, mishap] {
    if (loop_.now() >= faults_end_ || ledger_.failed()) return;
    (this->*mishap)();
    Every(per_second, mishap);
  });
}

void Simulation::AppMishap() {
  SimApp& app = *dice_.Pick(apps_);
  const absl::Duration down = dice_.Between(absl::Milliseconds(1), absl::Seconds(4));
  switch (dice_.Between(0, 6)) {
    case 0: {
      AppProfile next = RandomProfile(0);
      next.client_id = dice_.Chance(0.5) ? app.profile().client_id : "";
      return app.Crash(down, std::move(next));
    }
    case 1:
      return app.LoseStream(down, absl::ZeroDuration());
    case 2:  // the daemon does not notice in time: two streams of one client
      return app.LoseStream(absl::Milliseconds(10), dice_.Between(absl::ZeroDuration(), absl::Seconds(1)));
    case 3:
      return app.HalfClose();
    case 4:
      return app.Drain(dice_.Between(absl::ZeroDuration(), absl::Seconds(3)));
    case 5:
      return app.SetCredit(RandomCredit());
    case 6: {  // a pause
      const core::Credit credit = app.profile().credit;
      app.SetCredit({0, credit.bytes});
      loop_.timers().After(down, [this, &app, credit] {
        if (loop_.now() < faults_end_) app.SetCredit(credit);
      });
      return;
    }
  }
}

void Simulation::NatsMishap() {
  SimPod& pod = *dice_.Pick(pods_);
  const absl::Duration down = dice_.Chance(0.8) ? dice_.Between(absl::Milliseconds(1), absl::Milliseconds(500))
                                                : dice_.Between(absl::Seconds(1), absl::Seconds(8));
  switch (dice_.Between(0, 6)) {
    case 0:
    case 1:
      return pod.Disconnect(down, dice_.Between(absl::ZeroDuration(), absl::Milliseconds(200)));
    case 2:
      ledger_.OnLeaderless(loop_.now() + down);
      return server_->ChangeLeader(down);
    case 3:
      ledger_.OnLeaderless(loop_.now() + down);
      return server_->Restart(down);
    case 4:
      return server_->RefusePulls(kRefusals[dice_.Between(0, std::size(kRefusals) - 1)],
                                  static_cast<int>(dice_.Between(1, 6)));
    case 5:
      return server_->RefuseAttach(
          dice_.Chance(0.5) ? absl::FailedPreconditionError("not as configured") : absl::UnavailableError("no answer"),
          static_cast<int>(dice_.Between(1, 3)));
    case 6:
      return server_->Pause(loop_.now() + down);
  }
}

void Simulation::DeleteMishap() {
  ledger_.OnConsumerDeleted();
  server_->DeleteConsumer();
}

void Simulation::DrainMishap() {
  SimPod& pod = *dice_.Pick(pods_);
  const absl::Duration timeout = dice_.Between(absl::ZeroDuration(), absl::Seconds(4));
  if (pod.stalled()) return;
  if (dice_.Chance(0.5)) return pod.Terminate(timeout);
  // preStop, then SIGTERM.
  pod.Drain(timeout);
  const absl::Duration later = dice_.Between(absl::ZeroDuration(), 2 * timeout);
  loop_.timers().After(later, [&pod, timeout, number = pod.number()] {
    if (pod.number() == number) pod.Terminate(timeout);
  });
}

void Simulation::KillMishap() { dice_.Pick(pods_)->Kill(); }

void Simulation::StallMishap() {
  dice_.Pick(pods_)->Stall(dice_.Chance(0.5) ? dice_.Between(absl::Milliseconds(10), absl::Seconds(1))
                                             : dice_.Between(absl::Seconds(1), absl::Seconds(8)));
}

// There is no stream for them for a while.
void Simulation::DeadLetterMishap() {
  dead_letters_->SetMissing(true);
  loop_.timers().After(dice_.Between(absl::Milliseconds(100), absl::Seconds(6)),
                       [this] { dead_letters_->SetMissing(false); });
}

// Every mishap is over; whoever is odd is replaced.
void Simulation::Heal() {
  if (ledger_.failed()) return;
  trace_.Add("healing");
  server_->RefusePulls(PullStatus::Kind::kExpired, 0);
  server_->RefuseAttach(absl::OkStatus(), 0);
  dead_letters_->Heal();
  for (auto& pod : pods_) {
    pod->Continue();
    if (pod->running() && !pod->serving()) pod->Terminate(absl::ZeroDuration());
  }
  for (auto& app : apps_) app->Crash(absl::Milliseconds(100), HealthyProfile());
  for (auto& fetcher : fetchers_) fetcher->Stop();
}

void Simulation::DrainAll() {
  if (ledger_.failed()) return;
  trace_.Add("last drain");
  for (auto& pod : pods_) pod->Drain(kLastDrain);
}

bool Simulation::AllServing() const {
  return std::all_of(pods_.begin(), pods_.end(), [](const auto& pod) { return pod->serving(); });
}

bool Simulation::AllDrained() const {
  return std::all_of(pods_.begin(), pods_.end(), [](const auto& pod) { return pod->drained(); });
}

}  // namespace sluice::test
