#include "config/lint.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/check.h"

namespace sluice::config {
namespace {

using base::Severity;

// Of rollouts that release a message, before its attempts are used up.
constexpr int64_t kFewDeliveries = 5;
constexpr absl::Duration kShortAckWait = absl::Seconds(1);
// The default; however short the drain, such a pull is not what keeps it.
constexpr absl::Duration kShortPull = absl::Seconds(1);
// Between the deadline of a drain and the kill: the final phase takes 2 s at most, and the hook and the signal are not
// sent at once.
constexpr absl::Duration kGraceMargin = absl::Seconds(10);
// Beyond this many pods, longer pulls are worth a longer drain: the server scans all that wait.
constexpr int64_t kLargeFleet = 500;
// For which the whole fleet stands still after a crash of its active pod.
constexpr absl::Duration kLongFailover = absl::Seconds(10);

// A key, relative to the consumer, and what is wrong there.
struct Fact {
  std::string key;
  std::string is;
};

struct ConsumerRule {
  Rule rule;
  std::optional<Fact> (*find)(const Consumer& consumer, const Config& config);
};

// What one consumer's ack wait is at the least, and which key says so.
std::optional<std::pair<std::string, absl::Duration>> LeastAckWait(const core::DurableConfig& config) {
  if (!config.backoff.empty()) {
    return std::make_pair("config.backoff", *std::min_element(config.backoff.begin(), config.backoff.end()));
  }
  if (config.ack_wait.has_value()) return std::make_pair("config.ack_wait", *config.ack_wait);
  return std::nullopt;
}

// One pod at a time is active: what it takes is taken from nobody.
bool IsExclusive(const Consumer& consumer) { return consumer.options.ordering == core::Ordering::kExclusive; }

std::optional<Fact> MaxDeliverOne(const Consumer& consumer, const Config&) {
  if (consumer.config.max_deliver != 1) return std::nullopt;
  return Fact{"config.max_deliver", "is 1"};
}

std::optional<Fact> MaxDeliverLow(const Consumer& consumer, const Config&) {
  const int64_t max_deliver = consumer.config.max_deliver.value_or(-1);
  if (max_deliver <= 1 || max_deliver >= kFewDeliveries) return std::nullopt;
  return Fact{"config.max_deliver", absl::StrCat("is ", max_deliver)};
}

std::optional<Fact> AckWaitShort(const Consumer& consumer, const Config&) {
  const auto least = LeastAckWait(consumer.config);
  if (!least.has_value() || least->second >= kShortAckWait) return std::nullopt;
  const char* const verb = consumer.config.backoff.empty() ? "is " : "has a step of ";
  return Fact{least->first, absl::StrCat(verb, absl::FormatDuration(least->second))};
}

std::optional<Fact> PullBatchAboveMaxAckPending(const Consumer& consumer, const Config&) {
  const int64_t max_ack_pending = consumer.config.max_ack_pending.value_or(0);
  if (max_ack_pending <= 0 || consumer.options.pull_batch <= max_ack_pending) return std::nullopt;
  if (IsExclusive(consumer)) return std::nullopt;
  return Fact{"pull.batch",
              absl::StrCat("is ", consumer.options.pull_batch, ", above a max_ack_pending of ", max_ack_pending)};
}

std::optional<Fact> CreditAboveMaxAckPending(const Consumer& consumer, const Config& config) {
  const int64_t max_ack_pending = consumer.config.max_ack_pending.value_or(0);
  if (max_ack_pending <= 0 || config.deployment.credit.value_or(0) <= max_ack_pending) return std::nullopt;
  return Fact{"config.max_ack_pending",
              absl::StrCat("is ", max_ack_pending, ", below a deployment.credit of ", *config.deployment.credit)};
}

std::optional<Fact> MaxAckPendingBelowPods(const Consumer& consumer, const Config& config) {
  const int64_t max_ack_pending = consumer.config.max_ack_pending.value_or(0);
  if (max_ack_pending <= 0 || config.deployment.pods.value_or(0) <= max_ack_pending) return std::nullopt;
  if (IsExclusive(consumer)) return std::nullopt;
  return Fact{"config.max_ack_pending",
              absl::StrCat("is ", max_ack_pending, ", below deployment.pods, ", *config.deployment.pods)};
}

std::optional<Fact> MaxWaitingBelowPods(const Consumer& consumer, const Config& config) {
  const int64_t max_waiting = consumer.config.max_waiting.value_or(0);
  if (max_waiting <= 0 || config.deployment.pods.value_or(0) <= max_waiting) return std::nullopt;
  return Fact{"config.max_waiting",
              absl::StrCat("is ", max_waiting, ", below deployment.pods, ", *config.deployment.pods)};
}

std::optional<Fact> PullExpiresLong(const Consumer& consumer, const Config& config) {
  const absl::Duration expires = consumer.options.pull_expires;
  if (expires > kShortPull && 2 * expires > config.drain.timeout) {
    return Fact{"pull.expires",
                absl::StrCat("is ", absl::FormatDuration(expires), ", more than half of a drain.timeout of ",
                             absl::FormatDuration(config.drain.timeout))};
  }
  const absl::Duration most = absl::Seconds(config.deployment.pods.value_or(0) > kLargeFleet ? 30 : 10);
  if (expires <= most) return std::nullopt;
  return Fact{"pull.expires", absl::StrCat("is ", absl::FormatDuration(expires))};
}

std::optional<Fact> ResumeWindowAboveAckWait(const Consumer& consumer, const Config&) {
  const auto least = LeastAckWait(consumer.config);
  if (!least.has_value() || consumer.options.resume_window <= least->second) return std::nullopt;
  if (IsExclusive(consumer)) return std::nullopt;  // there a short ack wait is for the failover between pods
  return Fact{"resume_window", absl::StrCat("is ", absl::FormatDuration(consumer.options.resume_window),
                                            ", above an ack wait of ", absl::FormatDuration(least->second))};
}

std::optional<Fact> ExclusiveAckWaitLong(const Consumer& consumer, const Config&) {
  if (!IsExclusive(consumer)) return std::nullopt;
  const core::DurableConfig& config = consumer.config;
  if (!config.backoff.empty()) {
    const absl::Duration longest = *std::max_element(config.backoff.begin(), config.backoff.end());
    if (longest <= kLongFailover) return std::nullopt;
    return Fact{"config.backoff", absl::StrCat("has a step of ", absl::FormatDuration(longest))};
  }
  const absl::Duration ack_wait = config.ack_wait.value_or(absl::ZeroDuration());
  if (ack_wait <= kLongFailover) return std::nullopt;
  return Fact{"config.ack_wait", absl::StrCat("is ", absl::FormatDuration(ack_wait))};
}

std::optional<Fact> ResumeWindowAboveLease(const Consumer& consumer, const Config&) {
  if (consumer.options.resume_window <= consumer.options.lease_max) return std::nullopt;
  return Fact{"resume_window",
              absl::StrCat("is ", absl::FormatDuration(consumer.options.resume_window), ", above a lease.max of ",
                           absl::FormatDuration(consumer.options.lease_max))};
}

std::optional<Fact> MaxAttemptsBeyondMaxDeliver(const Consumer& consumer, const Config&) {
  const int64_t max_deliver = consumer.config.max_deliver.value_or(-1);
  const auto max_attempts = static_cast<int64_t>(consumer.options.redelivery.max_attempts);
  const bool beyond = max_deliver > 0 && max_attempts >= max_deliver;
  if (!consumer.options.dead_letter.enabled() || !beyond) return std::nullopt;
  return Fact{"redelivery.max_attempts", absl::StrCat("is ", max_attempts, ", with a max_deliver of ", max_deliver)};
}

std::optional<Fact> MaxDeliveriesBeyondMaxDeliver(const Consumer& consumer, const Config&) {
  const int64_t max_deliver = consumer.config.max_deliver.value_or(-1);
  const auto max_deliveries = static_cast<int64_t>(consumer.options.dead_letter.max_deliveries);
  if (max_deliver <= 0 || max_deliveries < max_deliver) return std::nullopt;
  return Fact{"dead_letter.max_deliveries",
              absl::StrCat("is ", max_deliveries, ", with a max_deliver of ", max_deliver)};
}

std::optional<Fact> DeadLetterNever(const Consumer& consumer, const Config&) {
  const core::DeadLetterPolicy& policy = consumer.options.dead_letter;
  const bool ends = policy.on_term || policy.max_deliveries > 0 || consumer.options.redelivery.max_attempts > 0 ||
                    consumer.config.max_deliver.value_or(-1) > 0;
  if (!policy.enabled() || ends) return std::nullopt;
  return Fact{"dead_letter.subject", absl::StrCat("is ", Quoted(policy.subject), ", without a limit of attempts")};
}

std::optional<Fact> AckAllFailsForEver(const Consumer& consumer, const Config&) {
  const bool ends = consumer.options.redelivery.max_attempts > 0;
  if (!consumer.options.ack_all || ends) return std::nullopt;
  return Fact{"config.ack_policy", "is all, without redelivery.max_attempts"};
}

std::optional<Fact> AckAllGivenUp(const Consumer& consumer, const Config&) {
  if (!consumer.options.ack_all || consumer.config.max_deliver.value_or(-1) <= 0) return std::nullopt;
  return Fact{"config.max_deliver", absl::StrCat("is ", *consumer.config.max_deliver, ", with ack_policy all")};
}

std::optional<Fact> InactiveThreshold(const Consumer& consumer, const Config&) {
  const absl::Duration threshold = consumer.config.inactive_threshold.value_or(absl::ZeroDuration());
  if (threshold <= absl::ZeroDuration()) return std::nullopt;
  return Fact{"config.inactive_threshold", absl::StrCat("is ", absl::FormatDuration(threshold))};
}

std::optional<Fact> MemStorage(const Consumer& consumer, const Config&) {
  if (!consumer.config.mem_storage.value_or(false) || consumer.config.num_replicas.value_or(0) > 1) return std::nullopt;
  return Fact{"config.mem_storage", "is true without several num_replicas"};
}

constexpr ConsumerRule kConsumerRules[] = {
    {{"max-deliver-one", Severity::kWarning,
      "what a drain or a broken stream gives back was its last delivery, and JetStream gives it up",
      "set 5 or more, or -1 for no limit"},
     MaxDeliverOne},
    {{"max-deliver-low", Severity::kWarning,
      "each release by a drain counts as a delivery, so a few rollouts use up the attempts of a message that nothing "
      "is wrong with",
      "set 5 or more, or -1 for no limit"},
     MaxDeliverLow},
    {{"ack-wait-short", Severity::kWarning,
      "Sluice extends it when half of it is over, and a pause of the network or a server for the other half repeats "
      "every message",
      "set 1s or more; JetStream's default is 30s"},
     AckWaitShort},
    {{"pull-batch-above-max-ack-pending", Severity::kWarning,
      "one pod may take all that JetStream lets be out, and its siblings stall until it settles",
      "lower it to max_ack_pending divided by the pods, or raise max_ack_pending"},
     PullBatchAboveMaxAckPending},
    {{"credit-above-max-ack-pending", Severity::kWarning,
      "one app may take all that JetStream lets be out, and the others stall until it settles",
      "raise it, or lower the credit that apps give"},
     CreditAboveMaxAckPending},
    {{"max-ack-pending-below-pods", Severity::kWarning, "some pods get nothing while others hold messages",
      "set the number of pods times what each works on at once"},
     MaxAckPendingBelowPods},
    {{"max-waiting-small", Severity::kWarning, "a pod whose pull request is one too many gets nothing, without a word",
      "set the number of pods or more, with those that a rollout adds"},
     MaxWaitingBelowPods},
    {{"pull-expires-long", Severity::kWarning,
      "the drain of an idle consumer waits until its open pull request has ended",
      "set 10s or less (30s for more than 500 pods), and at most half of drain.timeout"},
     PullExpiresLong},
    {{"resume-window-above-ack-wait", Severity::kWarning,
      "what an app held that does not come back waits longer than it would without Sluice", "set the ack wait or less"},
     ResumeWindowAboveAckWait},
    {{"exclusive-ack-wait-long", Severity::kWarning,
      "after a crash of the active pod the whole fleet waits for it before it goes on, so that order is kept; while an "
      "app works Sluice extends it, however short",
      "set 2s to 5s"},
     ExclusiveAckWaitLong},
    {{"resume-window-above-lease", Severity::kWarning,
      "JetStream delivers to another app what is kept for the one that may come back", "set less than lease.max"},
     ResumeWindowAboveLease},
    {{"max-attempts-beyond-max-deliver", Severity::kWarning,
      "JetStream gives a message up before Sluice sets it aside, and tells of it only whoever is connected then",
      "set it below max_deliver, or leave max_deliver without a limit (-1)"},
     MaxAttemptsBeyondMaxDeliver},
    {{"max-deliveries-beyond-max-deliver", Severity::kWarning,
      "JetStream gives the message up before it is delivered so often",
      "set it below max_deliver, or leave max_deliver without a limit (-1)"},
     MaxDeliveriesBeyondMaxDeliver},
    {{"dead-letter-never", Severity::kWarning, "what fails is tried again for ever, and nothing becomes a dead letter",
      "set redelivery.max_attempts, on_term or max_deliveries"},
     DeadLetterNever},
    {{"ack-all-fails-for-ever", Severity::kWarning,
      "a message that always fails holds up the ACKs of all behind it, and the consumer stands still at max_unacked",
      "set redelivery.max_attempts, and dead_letter for what has failed so often"},
     AckAllFailsForEver},
    {{"ack-all-given-up", Severity::kWarning,
      "what is finished behind a message that is not goes back with each drain, and JetStream gives up what it has "
      "delivered so often",
      "set -1 for no limit"},
     AckAllGivenUp},
    {{"inactive-threshold-set", Severity::kWarning,
      "JetStream deletes the consumer, durable or not, and forgets what it settled, when nothing has pulled for so "
      "long; without an app nothing pulls",
      "leave it out, and remove it on the server where it has one"},
     InactiveThreshold},
    {{"mem-storage", Severity::kWarning,
      "a restart of the nats-server forgets what was settled, and messages are delivered again",
      "leave it out, or set num_replicas to 3"},
     MemStorage},
};

constexpr Rule kDrainTimeoutAboveGrace = {
    "drain-timeout-above-grace", Severity::kWarning,
    "Kubernetes kills the daemon before it has given back what it holds, and that waits for the ack wait",
    "set it 10s below the grace period, or raise terminationGracePeriodSeconds"};

void LintDrain(const Config& config, const Places& places, std::vector<Problem>& problems) {
  const absl::Duration grace = config.deployment.grace_period.value_or(absl::InfiniteDuration());
  if (config.drain.timeout + kGraceMargin <= grace) return;
  problems.push_back(Broken(kDrainTimeoutAboveGrace, places.Nearest("drain.timeout"), "drain.timeout",
                            absl::StrCat("is ", absl::FormatDuration(config.drain.timeout),
                                         ", and deployment.grace_period is ", absl::FormatDuration(grace))));
}

void LintConsumer(const Config& config, size_t i, const Places& places, std::vector<Problem>& problems) {
  for (const ConsumerRule& rule : kConsumerRules) {
    const std::optional<Fact> fact = rule.find(config.consumers[i], config);
    if (!fact.has_value()) continue;
    std::string path = absl::StrCat("consumers[", i, "].", fact->key);
    const bool is_of_server = absl::StartsWith(fact->key, "config.") && !places.Has(path);
    problems.push_back(Broken(rule.rule, PlaceInConsumer(places, i, fact->key), path,
                              absl::StrCat(is_of_server ? "in JetStream " : "", fact->is)));
  }
}

}  // namespace

std::vector<Rule> LintRules() {
  std::vector<Rule> rules;
  for (const ConsumerRule& rule : kConsumerRules) rules.push_back(rule.rule);
  rules.push_back(kDrainTimeoutAboveGrace);
  rules.insert(rules.end(), {kBackoffLongerThanMaxDeliver, kDurableTwice, kDeadLetterLoop, kAckAllNeedsExclusive,
                             kCoalesceNeedsAckAll});
  return rules;
}

std::vector<Problem> Lint(const Config& config, const Places& places) {
  std::vector<Problem> problems;
  LintDrain(config, places, problems);
  for (size_t i = 0; i < config.consumers.size(); ++i) LintConsumer(config, i, places, problems);
  SortByPlace(problems);
  return problems;
}

Place PlaceInConsumer(const Places& places, size_t i, const std::string& key) {
  const std::string consumer = absl::StrCat("consumers[", i, "]");
  const std::string path = absl::StrCat(consumer, ".", key);
  return places.Nearest(places.Has(path) ? path : consumer + ".name");
}

}  // namespace sluice::config
