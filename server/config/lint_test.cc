#include "config/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/load.h"

namespace sluice::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// `deployment` and one consumer, each with more of its keys.
std::string Yaml(const std::string& daemon, const std::string& consumer) {
  return absl::StrCat("{", daemon, daemon.empty() ? "" : ", ", "consumers: [{name: o, stream: S",
                      consumer.empty() ? "" : ", ", consumer, "}]}");
}

std::vector<Problem> LintText(const std::string& yaml) {
  const Loaded loaded = Parse(yaml, "f.yaml");
  // Those that nothing can be started against.
  return loaded.ok() ? Lint(loaded.config, loaded.places) : loaded.problems;
}

std::vector<std::string> RulesBroken(const std::string& yaml) {
  std::vector<std::string> rules;
  for (const Problem& problem : LintText(yaml)) rules.push_back(problem.rule);
  return rules;
}

// For each rule what breaks it, alone, and what just does not.
struct Case {
  const char* rule;
  std::string broken;
  std::string good;
};

const std::vector<Case>& Cases() {
  static const auto* const cases = new std::vector<Case>{
      {"max-deliver-one", Yaml("", "config: {max_deliver: 1}"), Yaml("", "config: {max_deliver: -1}")},
      {"max-deliver-low", Yaml("", "config: {max_deliver: 4}"), Yaml("", "config: {max_deliver: 5}")},
      {"ack-wait-short", Yaml("", "resume_window: 0s, config: {ack_wait: 999ms}"),
       Yaml("", "resume_window: 0s, config: {ack_wait: 1s}")},
      {"ack-wait-short", Yaml("", "resume_window: 0s, config: {backoff: [1s, 500ms]}"),
       Yaml("", "resume_window: 0s, config: {backoff: [1s, 5s]}")},
      {"pull-batch-above-max-ack-pending", Yaml("", "config: {max_ack_pending: 255}"),
       Yaml("", "config: {max_ack_pending: 256}")},
      {"pull-batch-above-max-ack-pending", Yaml("", "pull: {batch: 11}, config: {max_ack_pending: 10}"),
       Yaml("", "config: {max_ack_pending: -1}")},
      {"credit-above-max-ack-pending", Yaml("deployment: {credit: 301}", "config: {max_ack_pending: 300}"),
       Yaml("deployment: {credit: 300}", "config: {max_ack_pending: 300}")},
      {"max-ack-pending-below-pods", Yaml("deployment: {pods: 301}", "config: {max_ack_pending: 300}"),
       Yaml("deployment: {pods: 300}", "config: {max_ack_pending: 300}")},
      {"max-waiting-small", Yaml("deployment: {pods: 65}", "config: {max_waiting: 64}"),
       Yaml("deployment: {pods: 64}", "config: {max_waiting: 64}")},
      {"pull-expires-long", Yaml("", "pull: {expires: 11s}"), Yaml("", "pull: {expires: 10s}")},
      {"pull-expires-long", Yaml("drain: {timeout: 3s}", "pull: {expires: 2s}"),
       Yaml("drain: {timeout: 4s}", "pull: {expires: 2s}")},
      {"pull-expires-long", Yaml("deployment: {pods: 500}, drain: {timeout: 1m}", "pull: {expires: 30s}"),
       Yaml("deployment: {pods: 501}, drain: {timeout: 1m}", "pull: {expires: 30s}")},
      {"resume-window-above-ack-wait", Yaml("", "config: {ack_wait: 4s}"), Yaml("", "config: {ack_wait: 5s}")},
      {"resume-window-above-ack-wait", Yaml("", "config: {backoff: [9s, 4s]}"),
       Yaml("", "config: {backoff: [5s, 9s]}")},
      // A short ack wait is right for a failover between pods, and one pod's batch is taken from nobody.
      {"exclusive-ack-wait-long", Yaml("", "ordering: exclusive, config: {ack_wait: 11s}"),
       Yaml("deployment: {pods: 20}", "ordering: exclusive, config: {ack_wait: 2s, max_ack_pending: 10}")},
      {"exclusive-ack-wait-long", Yaml("", "ordering: exclusive, config: {backoff: [5s, 11s]}"),
       Yaml("", "ordering: exclusive, config: {backoff: [2s, 10s]}")},
      {"resume-window-above-lease", Yaml("", "lease: {max: 4s}"), Yaml("", "lease: {max: 5s}")},
      {"inactive-threshold-set", Yaml("", "config: {inactive_threshold: 8760h}"), Yaml("", "config: {}")},
      {"mem-storage", Yaml("", "config: {mem_storage: true}"),
       Yaml("", "config: {mem_storage: true, num_replicas: 3}")},
      {"mem-storage", Yaml("", "config: {mem_storage: true, num_replicas: 1}"),
       Yaml("", "config: {mem_storage: false, num_replicas: 1}")},
      {"drain-timeout-above-grace", Yaml("deployment: {grace_period: 54s}", ""),
       Yaml("deployment: {grace_period: 55s}", "")},
      {"backoff-longer-than-max-deliver", Yaml("", "config: {backoff: [5s, 6s, 7s, 8s, 9s, 10s], max_deliver: 5}"),
       Yaml("", "config: {backoff: [5s, 6s, 7s, 8s, 9s], max_deliver: 5}")},
      {"dead-letter-loop",
       Yaml("", "config: {filter_subjects: [a.*, d.>]}, redelivery: {max_attempts: 3}, dead_letter: {subject: d.o}"),
       Yaml("", "config: {filter_subjects: [a.*, d.*.x]}, redelivery: {max_attempts: 3}, dead_letter: {subject: d.o}")},
      {"max-attempts-beyond-max-deliver",
       Yaml("", "config: {max_deliver: 5}, redelivery: {max_attempts: 5}, dead_letter: {subject: d}"),
       Yaml("", "config: {max_deliver: 6}, redelivery: {max_attempts: 5}, dead_letter: {subject: d}")},
      {"max-deliveries-beyond-max-deliver",
       Yaml("", "config: {max_deliver: 9}, dead_letter: {subject: d, max_deliveries: 9}"),
       Yaml("", "config: {max_deliver: 9}, dead_letter: {subject: d, max_deliveries: 8}")},
      {"dead-letter-never", Yaml("", "dead_letter: {subject: d}"),
       Yaml("", "dead_letter: {subject: d, on_term: true}")},
      {"dead-letter-never", Yaml("", "config: {max_deliver: -1}, dead_letter: {subject: d}"),
       Yaml("", "redelivery: {max_attempts: 3}, dead_letter: {subject: d}")},
      {"ack-all-fails-for-ever", Yaml("", "ordering: exclusive, config: {ack_policy: all}"),
       Yaml("", "ordering: exclusive, config: {ack_policy: all}, redelivery: {max_attempts: 5}")},
      {"ack-all-given-up",
       Yaml("", "ordering: exclusive, config: {ack_policy: all, max_deliver: 50}, redelivery: {max_attempts: 5}"),
       Yaml("", "ordering: exclusive, config: {ack_policy: all, max_deliver: -1}, redelivery: {max_attempts: 5}")},
      {"ack-all-needs-exclusive",
       Yaml("", "ordering: key, key: {subject_token: 1}, config: {ack_policy: all}, redelivery: {max_attempts: 5}"),
       Yaml("", "ordering: key, key: {subject_token: 1}, config: {ack_policy: explicit}")},
      {"ack-all-needs-exclusive", Yaml("", "config: {ack_policy: all}"), Yaml("", "config: {ack_policy: explicit}")},
      {"coalesce-acks-needs-ack-all", Yaml("", "ordering: exclusive, coalesce_acks: true"),
       Yaml("", "ordering: exclusive, coalesce_acks: true, config: {ack_policy: all}, redelivery: {max_attempts: 5}")},
      {"durable-twice", "consumers: [{name: o, stream: S}, {name: p, stream: S, durable: o}]",
       "consumers: [{name: o, stream: S}, {name: p, stream: T, durable: o}]"},
  };
  return *cases;
}

// Mutation: `>` instead of `>=` in AckWaitShort().
TEST(Lint, EachRuleIsBrokenAloneAndJustNot) {
  for (const Case& c : Cases()) {
    EXPECT_THAT(RulesBroken(c.broken), ElementsAre(c.rule)) << c.broken;
    EXPECT_THAT(RulesBroken(c.good), IsEmpty()) << c.good;
  }
}

TEST(Lint, NoRuleGoesUntested) {
  std::set<std::string> tested, named;
  for (const Case& c : Cases()) tested.insert(c.rule);
  for (const Rule& rule : LintRules()) EXPECT_TRUE(named.insert(rule.name).second) << rule.name;
  EXPECT_EQ(tested, named);
}

TEST(Lint, TellsTheSeverityOfTheRule) {
  for (const Case& c : Cases()) {
    const bool fatal = !Parse(c.broken, "f.yaml").ok();
    EXPECT_EQ(LintText(c.broken)[0].is_warning(), !fatal) << c.rule;
  }
}

TEST(Lint, TheDefaultsAreGood) { EXPECT_THAT(LintText("consumers: [{name: o, stream: S}]"), IsEmpty()); }

TEST(Lint, NamesTheKeyAndWhatToSet) {
  const std::string yaml = "consumers:\n  - stream: S\n    name: o\n    config:\n      max_deliver: 1\n";
  ASSERT_EQ(LintText(yaml).size(), 1u);
  EXPECT_EQ(
      LintText(yaml)[0].ToString(),
      "f.yaml:5:7: warning: max-deliver-one: consumers[0].config.max_deliver is 1: what a drain or a broken stream "
      "gives back was its last delivery, and JetStream gives it up; set 5 or more, or -1 for no limit");
}

// Mutation: PlaceInConsumer() with the nearest place in any case.
TEST(Lint, AKeyThatIsNotGivenIsFoundAtTheConsumersName) {
  const std::string yaml = "consumers:\n  - stream: S\n    name: o\n    config:\n      max_ack_pending: 100\n";
  ASSERT_EQ(LintText(yaml).size(), 1u);
  EXPECT_THAT(
      LintText(yaml)[0].ToString(),
      HasSubstr("f.yaml:3:5: warning: pull-batch-above-max-ack-pending: consumers[0].pull.batch is 256, above"));
}

TEST(Lint, WhatJetStreamHasIsToldAsItsOwn) {
  Loaded loaded = Parse("consumers: [{name: o, stream: S}]", "f.yaml");
  loaded.config.consumers[0].config.max_deliver = 1;
  const std::vector<Problem> problems = Lint(loaded.config, loaded.places);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_THAT(problems[0].ToString(),
              HasSubstr("f.yaml:1:14: warning: max-deliver-one: consumers[0].config.max_deliver in JetStream is 1: "));
}

TEST(Lint, AFlagIsNamedAndComesFirst) {
  const Loaded loaded = Parse(Yaml("deployment: {grace_period: 30s}", "config: {max_deliver: 1}"), "f.yaml",
                              {{"drain.timeout", "30s", "--drain-timeout"}});
  const std::vector<Problem> problems = Lint(loaded.config, loaded.places);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_THAT(problems[0].ToString(),
              HasSubstr("--drain-timeout: warning: drain-timeout-above-grace: drain.timeout is 30s, and "
                        "deployment.grace_period is 30s: "));
  EXPECT_EQ(problems[1].rule, "max-deliver-one");
}

}  // namespace
}  // namespace sluice::config
