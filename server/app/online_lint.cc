#include "app/online_lint.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "config/check.h"
#include "config/lint.h"
#include "core/subject.h"
#include "jetstream/consumer_config.h"
#include "jetstream/server_version.h"

namespace sluice::app {
namespace {

using base::Severity;
using config::Rule;
using core::DurableConfig;
using core::Manage;
using jetstream::Difference;
using jetstream::SurveyAnswer;
using Presence = jetstream::SurveyAnswer::Presence;

constexpr Rule kServerUnreachable = {"server-unreachable", Severity::kError,
                                     "nothing there could be checked, and the daemon would wait for it",
                                     "correct the address or the login, or start the server"};
constexpr Rule kServerVersionUnknown = {"server-version-unknown", Severity::kWarning,
                                        "what depends on the version could not be checked",
                                        "look with 'nats server info', and compare with the rules about versions"};
constexpr Rule kServerBefore2_10_16 = {
    "server-before-2.10.16", Severity::kWarning,
    "a pull request that nobody waits for any more may swallow a redelivery; Sluice works around it with one more "
    "request in each drain, other clients of the consumer may not",
    "upgrade to 2.10.16 or later"};
constexpr Rule kServerBefore2_10_4 = {
    "server-before-2.10.4", Severity::kWarning,
    "the server ignores a TERM that has a reason; Sluice works around it by leaving the reason out, so that advisories "
    "do not tell it",
    "upgrade to 2.10.4 or later"};
constexpr Rule kServerTooOld = {"server-too-old", Severity::kError,
                                "the server drops it without a word or refuses the consumer, and apps get nothing",
                                "upgrade the server, or leave it out"};
constexpr Rule kNoAnswer = {"no-answer", Severity::kError,
                            "nothing about the consumer could be checked, and apps would get nothing",
                            "enable JetStream for the account, and permit the subjects of its API"};
constexpr Rule kStreamMissing = {"stream-missing", Severity::kError,
                                 "apps get nothing until it is there, and Sluice never makes streams",
                                 "create it (nats stream add), or correct the name"};
constexpr Rule kConsumerMissing = {"consumer-missing", Severity::kError, "apps get nothing until somebody creates it",
                                   "create it (nats consumer add), or set manage: ensure"};
constexpr Rule kConsumerIsPush = {"consumer-is-push", Severity::kError, "Sluice pulls, and apps get nothing",
                                  "choose another durable, without deliver_subject"};
constexpr Rule kAckPolicyDiffers = {"ack-policy-differs", Severity::kError,
                                    "JetStream fixes it when it creates a consumer, and apps get nothing",
                                    "set config.ack_policy to what JetStream has, explicit or all, or choose another "
                                    "durable"};
constexpr Rule kConsumerDiffers = {"consumer-differs", Severity::kError,
                                   "with manage: verify apps get nothing until both are the same",
                                   "correct one of the two, or set manage: ensure"};
constexpr Rule kConsumerWillChange = {"consumer-will-change", Severity::kWarning,
                                      "the next start of a daemon changes it for the whole fleet",
                                      "leave it so if that is meant, else set what JetStream has"};
constexpr Rule kConsumerFixed = {"consumer-fixed", Severity::kWarning,
                                 "JetStream fixes it when it creates a consumer, so that this has no effect",
                                 "set what JetStream has, or choose another durable"};
constexpr Rule kPullsNearMaxWaiting = {"pulls-near-max-waiting", Severity::kWarning,
                                       "one pod more gets nothing, without a word",
                                       "set the number of pods or more, with those that a rollout adds"};
constexpr Rule kConsumerPaused = {"consumer-paused", Severity::kWarning, "JetStream delivers nothing until then",
                                  "wait, or resume it (nats consumer resume)"};

constexpr Rule kDeadLetterNowhere = {"dead-letter-nowhere", Severity::kError,
                                     "no stream would take its dead letters, so that what fails goes round for ever",
                                     "add the subject to a stream (nats stream add), or correct it"};
constexpr Rule kDeadLetterWindowShort = {
    "dead-letter-window-short", Severity::kWarning,
    "a dead letter whose confirmation got lost is published again, and stored twice if its stream has forgotten it",
    "set the stream's duplicate_window to 1m or more; JetStream's default is 2m"};
// Published again within 5 s and a retry after 30 s at most.
constexpr absl::Duration kShortWindow = absl::Minutes(1);

// What a consumer gets that is created without these: nats-server's own defaults.
DurableConfig ServerDefaults() {
  DurableConfig config;
  config.ack_wait = absl::Seconds(30);
  config.max_deliver = -1;
  config.max_ack_pending = 1000;
  config.max_waiting = 512;
  return config;
}

template <typename T>
void FillIn(std::optional<T>& value, const std::optional<T>& on_server) {
  if (!value.has_value()) value = on_server;
}

// What will be in force: what the file does not say stays as the server has it, and what an update cannot change too.
DurableConfig Effective(DurableConfig config, const DurableConfig& on_server) {
  FillIn(config.ack_wait, on_server.ack_wait);
  FillIn(config.max_deliver, on_server.max_deliver);
  FillIn(config.max_ack_pending, on_server.max_ack_pending);
  FillIn(config.max_waiting, on_server.max_waiting);
  FillIn(config.inactive_threshold, on_server.inactive_threshold);
  FillIn(config.num_replicas, on_server.num_replicas);
  if (on_server.mem_storage.has_value()) config.mem_storage = on_server.mem_storage;
  if (config.backoff.empty()) config.backoff = on_server.backoff;
  return config;
}

// One check: the file, the server, and what was found so far.
class OnlineLint {
 public:
  OnlineLint(const config::Loaded& loaded, const jetstream::Survey& survey)
      : loaded_(loaded), survey_(survey), effective_(loaded.config) {}

  std::vector<config::Problem> Run() && {
    CheckServer();
    for (size_t i = 0; i < survey_.answers.size(); ++i) {
      CheckVersion(i);
      CheckConsumer(i);
      CheckDeadLetters(i);
    }
    const std::vector<config::Problem> offline = config::Lint(effective_, loaded_.places);
    problems_.insert(problems_.end(), offline.begin(), offline.end());
    config::SortByPlace(problems_);
    return std::move(problems_);
  }

 private:
  bool ServerIsBefore(int minor, int patch) const {
    const std::string& version = survey_.server_version;
    return !version.empty() && !jetstream::VersionAtLeast(version, 2, minor, patch);
  }

  void AddAtServers(const Rule& rule, const std::string& is) {
    problems_.push_back(config::Broken(rule, loaded_.places.Nearest("nats.servers"), "nats.servers", is));
  }
  void Add(size_t i, const Rule& rule, const std::string& key, const std::string& is) {
    problems_.push_back(config::Broken(rule, config::PlaceInConsumer(loaded_.places, i, key),
                                       absl::StrCat("consumers[", i, "].", key), is));
  }

  void CheckServer() {
    if (survey_.server_version.empty()) {
      return AddAtServers(kServerVersionUnknown, "leads to a nats-server that does not tell its version");
    }
    const std::string is = absl::StrCat("leads to nats-server ", survey_.server_version);
    if (ServerIsBefore(10, 16)) AddAtServers(kServerBefore2_10_16, is);
    if (ServerIsBefore(10, 4)) AddAtServers(kServerBefore2_10_4, is);
  }

  void CheckVersion(size_t i) {
    const DurableConfig& config = loaded_.config.consumers[i].config;
    if (!config.priority_groups.empty() && ServerIsBefore(11, 0)) {
      Add(i, kServerTooOld, "ordering",
          absl::StrCat("is exclusive, which needs nats-server 2.11, and this is ", survey_.server_version));
    }
    if (!ServerIsBefore(10, 0)) return;
    const auto add = [&](const char* key, const char* is) {
      Add(i, kServerTooOld, key, absl::StrCat(is, " needs nats-server 2.10, and this is ", survey_.server_version));
    };
    if (config.filter_subjects.size() > 1) add("config.filter_subjects", "has several subjects, which");
    if (!config.metadata.empty()) add("config.metadata", "is given, which");
    const auto steps = static_cast<int64_t>(config.backoff.size());
    if (steps > 0 && config.max_deliver == steps) add("config.backoff", "has as many steps as max_deliver, which");
  }

  void CheckConsumer(size_t i) {
    const config::Consumer& consumer = loaded_.config.consumers[i];
    const SurveyAnswer& answer = survey_.answers[i];
    switch (answer.presence) {
      case Presence::kUnknown:
        return Add(i, kNoAnswer, "durable", absl::StrCat("cannot be looked at (", answer.error, ")"));
      case Presence::kStreamMissing:
        return Add(i, kStreamMissing, "stream",
                   absl::StrCat("is ", config::Quoted(consumer.options.stream), ", which does not exist"));
      case Presence::kConsumerMissing:
        return CheckMissing(i);
      case Presence::kThere:
        return CheckPresent(i);
    }
  }

  void CheckMissing(size_t i) {
    config::Consumer& consumer = effective_.consumers[i];
    if (consumer.manage == Manage::kEnsure) {
      consumer.config = Effective(consumer.config, ServerDefaults());
    } else {
      Add(i, kConsumerMissing, "durable",
          absl::StrCat("is ", config::Quoted(consumer.options.durable), ", which does not exist on stream ",
                       config::Quoted(consumer.options.stream)));
    }
  }

  void CheckPresent(size_t i) {
    const SurveyAnswer& answer = survey_.answers[i];
    if (!answer.deliver_subject.empty()) {
      return Add(i, kConsumerIsPush, "durable",
                 absl::StrCat("is a push consumer that delivers to ", config::Quoted(answer.deliver_subject)));
    }
    const std::string wanted = jetstream::AckPolicy(loaded_.config.consumers[i].config);
    if (answer.ack_policy != wanted) {
      return Add(
          i, kAckPolicyDiffers, "durable",
          absl::StrCat("has the ack_policy ", config::Quoted(answer.ack_policy), ", and not ", config::Quoted(wanted)));
    }
    if (answer.pause_remaining > absl::ZeroDuration()) {
      Add(i, kConsumerPaused, "durable",
          absl::StrCat("is paused for another ",
                       absl::FormatDuration(absl::Trunc(answer.pause_remaining, absl::Seconds(1)))));
    }
    CheckDifferences(i);
    DurableConfig& config = effective_.consumers[i].config;
    config = Effective(config, answer.config);
    CheckWaiting(i, config.max_waiting.value_or(0));
  }

  void CheckDifferences(size_t i) {
    const auto add = [&](const Rule& rule, const std::vector<Difference>& differences) {
      for (const Difference& difference : differences) {
        Add(i, rule, absl::StrCat("config.", difference.field),
            absl::StrCat("is ", difference.wanted, ", and JetStream has ", difference.got));
      }
    };
    const bool ensures = loaded_.config.consumers[i].manage == Manage::kEnsure;
    add(ensures ? kConsumerWillChange : kConsumerDiffers, survey_.answers[i].changeable);
    add(ensures ? kConsumerFixed : kConsumerDiffers, survey_.answers[i].fixed);
  }

  // Near is where a rollout would be beyond: Kubernetes adds a quarter of the pods by default, rounded up.
  void CheckWaiting(size_t i, int64_t max_waiting) {
    const int64_t num_waiting = survey_.answers[i].num_waiting;
    const int64_t in_rollout = num_waiting + (num_waiting + 3) / 4;
    if (max_waiting <= 0 || in_rollout <= max_waiting) return;
    Add(i, kPullsNearMaxWaiting, "config.max_waiting",
        absl::StrCat("is ", max_waiting, ", with ", num_waiting, " pull requests waiting"));
  }

  void CheckDeadLetters(size_t i) {
    const core::ConsumerOptions& options = loaded_.config.consumers[i].options;
    const SurveyAnswer::DeadLetters& told = survey_.answers[i].dead_letters;
    if (!options.dead_letter.enabled() || !told.known) return;
    const std::string is = absl::StrCat("is ", config::Quoted(options.dead_letter.subject), ", which ");
    if (told.stream.empty()) return Add(i, kDeadLetterNowhere, "dead_letter.subject", is + "no stream holds");
    const std::string held = absl::StrCat(is, "stream ", config::Quoted(told.stream), " holds");
    if (told.stream == options.stream && ComesBack(i)) {
      Add(i, config::kDeadLetterLoop, "dead_letter.subject", held + ", the consumer's own");
    }
    if (told.duplicate_window >= kShortWindow) return;
    Add(i, kDeadLetterWindowShort, "dead_letter.subject",
        absl::StrCat(held, " with a duplicate_window of ", absl::FormatDuration(told.duplicate_window)));
  }

  // Whether the consumer gets what is published on its dead letters' subject, which its stream holds.
  bool ComesBack(size_t i) const {
    const config::Consumer& consumer = loaded_.config.consumers[i];
    const std::vector<std::string>& given = consumer.config.filter_subjects;
    const std::vector<std::string>& filters = given.empty() ? survey_.answers[i].config.filter_subjects : given;
    return filters.empty() || std::any_of(filters.begin(), filters.end(), [&](const std::string& filter) {
             return core::SubjectMatches(filter, consumer.options.dead_letter.subject);
           });
  }

  const config::Loaded& loaded_;
  const jetstream::Survey& survey_;
  config::Config effective_;
  std::vector<config::Problem> problems_;
};

}  // namespace

std::vector<Rule> OnlineRules() {
  return {kServerUnreachable, kServerVersionUnknown, kServerBefore2_10_16, kServerBefore2_10_4,  kServerTooOld,
          kNoAnswer,          kStreamMissing,        kConsumerMissing,     kConsumerIsPush,      kAckPolicyDiffers,
          kConsumerDiffers,   kConsumerWillChange,   kConsumerFixed,       kPullsNearMaxWaiting, kConsumerPaused,
          kDeadLetterNowhere, kDeadLetterWindowShort};
}

std::vector<jetstream::SurveyQuestion> SurveyQuestions(const config::Config& config) {
  std::vector<jetstream::SurveyQuestion> questions;
  for (const config::Consumer& consumer : config.consumers) {
    questions.push_back(
        {consumer.options.stream, consumer.options.durable, consumer.config, consumer.options.dead_letter.subject});
  }
  return questions;
}

std::vector<config::Problem> LintOnline(const config::Loaded& loaded, const absl::StatusOr<jetstream::Survey>& survey) {
  if (survey.ok()) return OnlineLint(loaded, *survey).Run();
  std::vector<config::Problem> problems = config::Lint(loaded.config, loaded.places);
  problems.push_back(config::Broken(kServerUnreachable, loaded.places.Nearest("nats.servers"), "nats.servers",
                                    absl::StrCat("leads nowhere (", survey.status().message(), ")")));
  config::SortByPlace(problems);
  return problems;
}

}  // namespace sluice::app
