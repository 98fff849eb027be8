#include "app/online_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/lint.h"

namespace sluice::app {
namespace {

using jetstream::Survey;
using jetstream::SurveyAnswer;
using Presence = jetstream::SurveyAnswer::Presence;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One consumer, as in `consumers: [{name: o, stream: S, ...}]`, and a healthy server that has it.
config::Loaded Load(const std::string& more) {
  config::Loaded loaded =
      config::Parse(absl::StrCat("consumers: [{name: o, stream: S", more.empty() ? "" : ", ", more, "}]\n"), "f.yaml");
  for (const config::Problem& problem : loaded.problems) ADD_FAILURE() << problem.ToString();
  return loaded;
}

SurveyAnswer HealthyAnswer() {
  SurveyAnswer answer;
  answer.presence = Presence::kThere;
  answer.ack_policy = "explicit";
  answer.config.ack_wait = absl::Seconds(30);
  answer.config.max_deliver = -1;
  answer.config.max_ack_pending = 1000;
  answer.config.max_waiting = 512;
  answer.config.num_replicas = 1;  // of a stream with three: fine
  answer.dead_letters = {true, "DEAD", absl::Minutes(1)};
  return answer;
}

Survey HealthySurvey() { return {"nats://a:4222", "2.10.27", {HealthyAnswer()}}; }

std::vector<std::string> RulesBroken(const std::string& consumer, const absl::StatusOr<Survey>& survey) {
  std::vector<std::string> rules;
  for (const config::Problem& problem : LintOnline(Load(consumer), survey)) rules.push_back(problem.rule);
  return rules;
}

Survey With(void (*change)(SurveyAnswer& answer)) {
  Survey survey = HealthySurvey();
  change(survey.answers[0]);
  return survey;
}

// The consumer is not there to be seen.
Survey Without(Presence presence) {
  Survey survey = HealthySurvey();
  survey.answers = {SurveyAnswer()};
  survey.answers[0].presence = presence;
  return survey;
}

Survey OfVersion(const std::string& version) {
  Survey survey = HealthySurvey();
  survey.server_version = version;
  return survey;
}

// For each rule what breaks it, alone, and what just does not.
struct Case {
  std::string rule;
  std::string consumer;
  absl::StatusOr<Survey> broken;
  absl::StatusOr<Survey> good;
};

std::vector<Case> Cases() {
  const Survey ok = HealthySurvey();
  const std::string dead = "dead_letter: {subject: dead.o, on_term: true}";
  const Survey missing = Without(Presence::kConsumerMissing);
  const Survey changeable = With([](SurveyAnswer& answer) { answer.changeable = {{"ack_wait", "10s", "30s"}}; });
  const Survey fixed = With([](SurveyAnswer& answer) { answer.fixed = {{"deliver_policy", "\"new\"", "\"all\""}}; });
  return {
      {"server-unreachable", "", absl::UnavailableError("connection refused"), ok},
      {"server-version-unknown", "", OfVersion(""), ok},
      {"server-before-2.10.16", "", OfVersion("2.10.15"), OfVersion("2.10.16")},
      {"no-answer", "", Without(Presence::kUnknown), ok},
      {"stream-missing", "", Without(Presence::kStreamMissing), ok},
      {"consumer-missing", "manage: verify", missing, ok},
      {"consumer-missing", "manage: off", missing, ok},
      {"consumer-is-push", "", With([](SurveyAnswer& answer) { answer.deliver_subject = "d"; }), ok},
      {"ack-policy-differs", "", With([](SurveyAnswer& answer) { answer.ack_policy = "all"; }), ok},
      {"consumer-differs", "manage: verify, config: {ack_wait: 10s}", changeable, ok},
      {"consumer-differs", "manage: verify, config: {deliver_policy: new}", fixed, ok},
      {"consumer-will-change", "config: {ack_wait: 10s}", changeable, ok},
      {"consumer-fixed", "config: {deliver_policy: new}", fixed, ok},
      {"pulls-near-max-waiting", "", With([](SurveyAnswer& answer) { answer.num_waiting = 410; }),
       With([](SurveyAnswer& answer) { answer.num_waiting = 409; })},
      {"pulls-near-max-waiting", "config: {max_waiting: 1}", With([](SurveyAnswer& answer) { answer.num_waiting = 1; }),
       ok},
      {"consumer-paused", "", With([](SurveyAnswer& answer) { answer.pause_remaining = absl::Hours(1); }), ok},
      {"dead-letter-nowhere", dead, With([](SurveyAnswer& answer) { answer.dead_letters.stream.clear(); }), ok},
      {"dead-letter-window-short", dead,
       With([](SurveyAnswer& answer) { answer.dead_letters.duplicate_window = absl::Seconds(59); }), ok},
      {"dead-letter-loop", dead, With([](SurveyAnswer& answer) { answer.dead_letters.stream = "S"; }),
       With([](SurveyAnswer& answer) {
         answer.dead_letters.stream = "S";
         answer.config.filter_subjects = {"orders.>"};
       })},
      {"dead-letter-loop", dead, With([](SurveyAnswer& answer) {
         answer.dead_letters.stream = "S";
         answer.config.filter_subjects = {"orders.>", "*.o"};
       }),
       ok},
      // Those of the file, by what the server has.
      {"max-deliver-one", "", With([](SurveyAnswer& answer) { answer.config.max_deliver = 1; }), ok},
      {"max-deliver-one", "manage: off", With([](SurveyAnswer& answer) { answer.config.max_deliver = 1; }), ok},
      {"max-deliver-low", "", With([](SurveyAnswer& answer) { answer.config.max_deliver = 3; }), ok},
      {"pull-batch-above-max-ack-pending", "pull: {batch: 512}",
       With([](SurveyAnswer& answer) { answer.config.max_ack_pending = 511; }), ok},
      {"inactive-threshold-set", "",
       With([](SurveyAnswer& answer) { answer.config.inactive_threshold = absl::Hours(1); }),
       With([](SurveyAnswer& answer) { answer.config.inactive_threshold = absl::ZeroDuration(); })},
      {"mem-storage", "", With([](SurveyAnswer& answer) { answer.config.mem_storage = true; }), ok},
      {"ack-wait-short", "resume_window: 0s",
       With([](SurveyAnswer& answer) { answer.config.backoff = {absl::Milliseconds(100)}; }), ok},
  };
}

// Mutations: Effective() without the backoff; CheckDifferences() that takes what is fixed for harmless with verify too.
TEST(OnlineLint, EachRuleIsBrokenAloneAndJustNot) {
  for (const Case& c : Cases()) {
    EXPECT_THAT(RulesBroken(c.consumer, c.broken), ElementsAre(c.rule)) << c.rule << ": " << c.consumer;
    EXPECT_THAT(RulesBroken(c.consumer, c.good), IsEmpty()) << c.rule << ": " << c.consumer;
  }
}

// What JetStream has says how long a failover takes, too.
TEST(OnlineLint, ExclusiveNeedsAServerThatPinsClients) {
  const std::string consumer = "ordering: exclusive, config: {ack_wait: 5s}";
  EXPECT_THAT(RulesBroken(consumer, OfVersion("2.10.27")), ElementsAre("server-too-old"));
  EXPECT_THAT(RulesBroken(consumer, OfVersion("2.11.0")), IsEmpty());
  EXPECT_THAT(RulesBroken("ordering: exclusive", OfVersion("2.11.0")), ElementsAre("exclusive-ack-wait-long"));
}

TEST(OnlineLint, ServersBefore2_10_4BreakTwoRules) {
  EXPECT_THAT(RulesBroken("", OfVersion("2.10.3")), ElementsAre("server-before-2.10.16", "server-before-2.10.4"));
  EXPECT_THAT(RulesBroken("", OfVersion("2.10.4")), ElementsAre("server-before-2.10.16"));
}

TEST(OnlineLint, WhatOldServersDoNotKnowIsAnError) {
  for (const char* config :
       {"filter_subjects: [a, b]", "metadata: {team: sales}", "backoff: [5s, 6s, 7s, 8s, 9s], max_deliver: 5"}) {
    const std::string consumer = absl::StrCat("config: {", config, "}");
    EXPECT_THAT(RulesBroken(consumer, OfVersion("2.9.10")), Contains("server-too-old")) << config;
    EXPECT_THAT(RulesBroken(consumer, OfVersion("2.10.16")), IsEmpty()) << config;
  }
  EXPECT_THAT(RulesBroken("config: {filter_subjects: [a], backoff: [5s], max_deliver: 5}", OfVersion("2.9.10")),
              ElementsAre("server-before-2.10.16", "server-before-2.10.4"));
}

// Mutation: FillIn() in any case.
TEST(OnlineLint, WhatTheFileSaysOutranksWhatTheServerHas) {
  const Survey survey = With([](SurveyAnswer& answer) {
    answer.config.max_deliver = 1;
    answer.changeable = {{"max_deliver", "-1", "1"}};
  });
  EXPECT_THAT(RulesBroken("config: {max_deliver: -1}", survey), ElementsAre("consumer-will-change"));
}

TEST(OnlineLint, AConsumerThatWillBeMadeGetsTheServersDefaults) {
  const Survey missing = Without(Presence::kConsumerMissing);
  EXPECT_THAT(RulesBroken("", missing), IsEmpty());
  EXPECT_THAT(RulesBroken("pull: {batch: 1001}", missing), ElementsAre("pull-batch-above-max-ack-pending"));
  EXPECT_THAT(RulesBroken("pull: {batch: 1001}, config: {max_ack_pending: 2000}", missing), IsEmpty());
}

TEST(OnlineLint, EachDifferenceIsToldAtItsKey) {
  const Survey survey = With([](SurveyAnswer& answer) {
    answer.changeable = {{"ack_wait", "10s", "30s"}, {"metadata.team", "\"sales\"", "\"\""}};
  });
  const auto problems = LintOnline(Load("config: {ack_wait: 10s, metadata: {team: sales}}"), survey);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_THAT(
      problems[0].ToString(),
      HasSubstr("f.yaml:1:43: warning: consumer-will-change: consumers[0].config.ack_wait is 10s, and JetStream "
                "has 30s: "));
  EXPECT_THAT(problems[1].ToString(), HasSubstr("f.yaml:1:69: warning: consumer-will-change: "
                                                "consumers[0].config.metadata.team is \"sales\", and JetStream has "));
}

TEST(OnlineLint, TheRulesOfTheFileStayWhereNoServerIs) {
  EXPECT_THAT(RulesBroken("config: {max_deliver: 1}", absl::UnavailableError("no")),
              ElementsAre("server-unreachable", "max-deliver-one"));
}

TEST(OnlineLint, NoRuleGoesUntested) {
  std::set<std::string> tested = {"server-before-2.10.4", "server-too-old"}, named;  // with others
  for (const Case& c : Cases()) tested.insert(c.rule);
  for (const config::Rule& rule : OnlineRules()) {
    EXPECT_TRUE(named.insert(rule.name).second) << rule.name;
    EXPECT_EQ(tested.count(rule.name), 1u) << rule.name;
  }
}

// "a clause" -> "A clause."
std::string Sentence(std::string clause) {
  clause[0] = absl::ascii_toupper(clause[0]);
  return clause + ".";
}

// docs/configuration.md has a row for every rule, in order, and no other.
TEST(OnlineLint, EveryRuleIsDocumented) {
  std::string expected, documented;
  std::vector<config::Rule> rules = config::LintRules();
  const std::vector<config::Rule> online = OnlineRules();
  rules.insert(rules.end(), online.begin(), online.end());
  for (const config::Rule& rule : rules) {
    const char* const severity = rule.severity == base::Severity::kWarning ? "warning" : "error";
    absl::StrAppend(&expected, "| ", severity, " | `", rule.name, "` | ", Sentence(rule.why), " | ", Sentence(rule.set),
                    " |\n");
  }
  std::ifstream file(SLUICE_SOURCE_DIR "/docs/configuration.md");
  ASSERT_TRUE(file.is_open());
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "| warning |") || absl::StartsWith(line, "| error |")) documented += line + "\n";
  }
  EXPECT_EQ(documented, expected);
}

}  // namespace
}  // namespace sluice::app
