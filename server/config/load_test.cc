#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace sluice::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::optional<std::string> Variables(const std::string& name) {
  if (name == "NATS_PASSWORD") return "s3cret$";
  if (name == "NATS_URLS") return "nats://a:4222, tls://b";
  if (name == "BATCH") return "64";
  return std::nullopt;
}

Loaded ParseText(absl::string_view yaml, absl::Span<const Override> overrides = {}) {
  return Parse(yaml, "f.yaml", overrides, Variables);
}

std::vector<std::string> Problems(const Loaded& loaded) {
  std::vector<std::string> lines;
  for (const Problem& problem : loaded.problems) lines.push_back(problem.ToString());
  return lines;
}

constexpr char kConsumer[] = "consumers: [{name: o, stream: S}]\n";

TEST(Load, FillsInDefaults) {
  const Loaded loaded = ParseText(kConsumer);
  ASSERT_THAT(Problems(loaded), IsEmpty());
  const Config& config = loaded.config;
  EXPECT_THAT(config.nats.servers, ElementsAre("nats://127.0.0.1:4222"));
  EXPECT_EQ(config.listen.unix_socket, "/run/sluice/sluice.sock");
  EXPECT_EQ(config.listen.tcp, "");
  EXPECT_EQ(config.drain.timeout, absl::Seconds(45));
  ASSERT_EQ(config.consumers.size(), 1u);
  EXPECT_EQ(config.consumers[0].options.durable, "o");
  EXPECT_EQ(config.consumers[0].options.pull_batch, 256u);
  EXPECT_EQ(config.consumers[0].manage, core::Manage::kEnsure);
  EXPECT_EQ(config.consumers[0].config.ack_wait, std::nullopt);
}

TEST(Load, ReadsEveryKind) {
  const Loaded loaded = ParseText(R"(
nats:
  servers: ${NATS_URLS}
  user: app
  password: ${NATS_PASSWORD}
  reconnect_wait: 1s
listen: {unix: "", tcp: "[::1]:0", reflection: true}
log: {level: warning, format: text}
drain: {timeout: 1m30s}
consumers:
- name: orders
  stream: ORDERS
  durable: orders-v2
  manage: verify
  ordering: key
  key: {subject_token: -2}
  waiting_share: 20
  app_health: {failures: 20, window: 1m}
  redelivery: {initial: 2s, factor: 1.5, max: 1m, jitter: 0, max_attempts: 5, delayed_share: 10}
  dead_letter: {subject: dead.orders, on_term: true, max_deliveries: 20}
  pull: {batch: "${BATCH}", expires: 2s, heartbeat: 500ms}
  lease: {max: 2h}
  resume_window: 0s
  max_streams: 8
  config:
    filter_subjects: [orders.*.new, "orders.>"]
    deliver_policy: by_start_sequence
    opt_start_seq: 17
    max_deliver: -1
    backoff: [1s, 5s]
    mem_storage: false
    metadata: {team: shop, cost: $$5}
- name: other
  stream: ORDERS
  manage: off
  ordering: key
  key: {header: Customer-Id}
  redelivery: {backoff: [1s, 1m]}
)");
  ASSERT_THAT(Problems(loaded), IsEmpty());
  const Config& config = loaded.config;
  EXPECT_THAT(config.nats.servers, ElementsAre("nats://a:4222", "tls://b"));
  EXPECT_EQ(config.nats.password, "s3cret$");
  EXPECT_EQ(config.nats.reconnect_wait, absl::Seconds(1));
  EXPECT_EQ(config.listen.unix_socket, "");
  EXPECT_EQ(config.listen.tcp, "[::1]:0");
  EXPECT_TRUE(config.listen.reflection);
  EXPECT_EQ(config.log.level, base::Severity::kWarning);
  EXPECT_EQ(config.log.format, LogFormat::kText);

  ASSERT_EQ(config.consumers.size(), 2u);
  const Consumer& orders = config.consumers[0];
  EXPECT_EQ(orders.options.durable, "orders-v2");
  EXPECT_EQ(orders.manage, core::Manage::kVerify);
  EXPECT_EQ(orders.options.ordering, core::Ordering::kKey);
  EXPECT_EQ(orders.options.key.subject_token, -2);
  EXPECT_EQ(orders.options.waiting_share, 20u);
  EXPECT_EQ(orders.options.app_health.failures, 20u);
  EXPECT_EQ(orders.options.app_health.window, absl::Minutes(1));
  EXPECT_EQ(orders.options.redelivery.initial, absl::Seconds(2));
  EXPECT_EQ(orders.options.redelivery.factor, 1.5);
  EXPECT_EQ(orders.options.redelivery.max, absl::Minutes(1));
  EXPECT_EQ(orders.options.redelivery.jitter, 0);
  EXPECT_EQ(orders.options.redelivery.max_attempts, 5u);
  EXPECT_EQ(orders.options.dead_letter.subject, "dead.orders");
  EXPECT_TRUE(orders.options.dead_letter.on_term);
  EXPECT_EQ(orders.options.dead_letter.max_deliveries, 20u);
  EXPECT_EQ(orders.options.redelivery.delayed_share, 10u);
  EXPECT_EQ(orders.options.pull_batch, 64u);
  EXPECT_EQ(orders.options.pull_expires, absl::Seconds(2));
  EXPECT_EQ(orders.options.pull_heartbeat, absl::Milliseconds(500));
  EXPECT_EQ(orders.options.lease_max, absl::Hours(2));
  EXPECT_EQ(orders.options.resume_window, absl::ZeroDuration());
  EXPECT_EQ(orders.options.max_streams, 8u);
  EXPECT_EQ(orders.options.drain_timeout, absl::Seconds(90));
  EXPECT_THAT(orders.config.filter_subjects, ElementsAre("orders.*.new", "orders.>"));
  EXPECT_EQ(orders.config.deliver_policy, "by_start_sequence");
  EXPECT_EQ(orders.config.opt_start_seq, 17u);
  EXPECT_EQ(orders.config.max_deliver, -1);
  EXPECT_THAT(orders.config.backoff, ElementsAre(absl::Seconds(1), absl::Seconds(5)));
  EXPECT_EQ(orders.config.mem_storage, false);
  EXPECT_THAT(orders.config.metadata, ElementsAre(std::pair("cost", "$5"), std::pair("team", "shop")));
  EXPECT_EQ(config.consumers[1].manage, core::Manage::kOff);
  EXPECT_EQ(config.consumers[1].options.key.header, "Customer-Id");
  EXPECT_THAT(config.consumers[1].options.redelivery.backoff, ElementsAre(absl::Seconds(1), absl::Minutes(1)));
}

// One fault each: the text, and the line that it gets.
struct Fault {
  const char* name;
  std::string yaml;
  std::string problem;
};

// `yaml` and a consumer, so that only its fault remains.
std::string WithConsumer(const std::string& yaml) { return yaml + kConsumer; }
// A consumer with these lines; the first stands at 4:3.
std::string InConsumer(const std::string& yaml) {
  return absl::StrCat("consumers:\n- name: o\n  stream: S\n  ", absl::StrReplaceAll(yaml, {{"\n", "\n  "}}));
}

const Fault kFaults[] = {
    // Keys
    {"UnknownKey", "conusmers: []\nconsumers: [{name: o, stream: S}]",
     "f.yaml:1:1: unknown key 'conusmers', did you mean 'consumers'?"},
    {"UnknownNestedKey", WithConsumer("nats:\n  tls:\n    ca_flie: x\n"),
     "f.yaml:3:5: unknown key 'ca_flie', did you mean 'ca_file'?"},
    {"KeyOfAnotherMapping", InConsumer("ack_wait: 5s"),
     "f.yaml:4:3: unknown key 'ack_wait', did you mean 'consumers[].config.ack_wait'?"},
    {"UnlikeAnyKey", WithConsumer("drain: {banana: 1}\n"), "f.yaml:1:9: unknown key 'banana'; known here: timeout"},
    {"MergeKey", WithConsumer("drain: {<<: {timeout: 1s}}\n"), "f.yaml:1:9: unknown key '<<'; known here: timeout"},
    {"KeyWithLineBreak", WithConsumer("\"a\\nb\": 1\n"),
     "f.yaml:1:1: unknown key 'a?b'; known here: nats, listen, admin, log, reload, drain, deployment, consumers"},
    {"DuplicateKey", WithConsumer("log: {level: info}\nlog: {level: error}\n"),
     "f.yaml:2:1: duplicate key 'log', first on line 1; remove one"},
    {"KeyThatIsAList", WithConsumer("? [a]\n: b\n"),
     "f.yaml:1:3: a key must be a word; quote it if it is meant to be one"},
    {"MissingConsumers", "log: {level: info}\n", "f.yaml:1:1: the key 'consumers' is missing; add it"},
    {"MissingStream", "consumers:\n  - name: o\n", "f.yaml:2:5: consumers[0]: the key 'stream' is missing; add it"},
    {"NoConsumers", "consumers: []",
     "f.yaml:1:1: consumers: the list is empty; add at least one, with a name and a stream"},
    {"ConsumersWithoutValue", "consumers:\n",
     "f.yaml:1:1: consumers: expected a list of consumers, found nothing; start each with '- '"},

    // Types
    {"MappingForList", "consumers: {name: o}",
     "f.yaml:1:12: consumers: expected a list of consumers, found a mapping; start each with '- '"},
    {"ListForMapping", WithConsumer("drain: [1s]\n"),
     "f.yaml:1:8: drain: expected a mapping with the keys timeout, found a list; write 'key: value' lines, indented"},
    {"ListForRoot", "- name: o",
     "f.yaml:1:1: expected a mapping with the keys nats, listen, admin, log, reload, drain, deployment, consumers, "
     "found a list; "
     "write "
     "'key: value' lines, indented"},
    {"MappingForScalar", WithConsumer("drain:\n  timeout: {s: 5}\n"),
     "f.yaml:2:12: drain.timeout: expected a duration, found a mapping; see docs/configuration.md"},
    {"NothingForScalar", WithConsumer("drain:\n  timeout:\nlog:\n"),
     "f.yaml:2:3: drain.timeout: expected a duration, found nothing; see docs/configuration.md"},
    {"ScalarForList", InConsumer("config: {filter_subjects: a.b}"),
     "f.yaml:4:29: consumers[0].config.filter_subjects: expected a list of subjects, found a value; start each with '- "
     "'"},
    {"ForeignTag", WithConsumer("nats: {token: !vault x}\n"),
     "f.yaml:1:15: nats.token: the tag '!vault' is not supported; remove it, or use ${VARIABLE}"},
    {"NotBoolean", WithConsumer("listen: {reflection: yes}\n"),
     "f.yaml:1:22: listen.reflection: 'yes' is neither true nor false; write one of them"},
    {"NotInteger", InConsumer("max_streams: many"),
     "f.yaml:4:16: consumers[0].max_streams: 'many' is not a whole number; use 1 to 65535"},
    {"NotInRange", InConsumer("pull: {batch: 0}"),
     "f.yaml:4:17: consumers[0].pull.batch: '0' is out of range; use 1 to 4096"},
    {"TooLargeForAnyInteger", InConsumer("pull: {batch: 99999999999999999999}"),
     "f.yaml:4:17: consumers[0].pull.batch: '99999999999999999999' is not a whole number; use 1 to 4096"},
    {"NotACount", InConsumer("config: {max_deliver: 0}"),
     "f.yaml:4:25: consumers[0].config.max_deliver: '0' is not a count; use a whole number from 1, or -1 for no limit"},
    {"DurationWithoutUnit", WithConsumer("drain: {timeout: 45}\n"),
     "f.yaml:1:18: drain.timeout: '45' is not a duration; write a number and a unit, such as 500ms, 30s, 1m30s or 2h"},
    {"DurationOutOfRange", InConsumer("pull: {expires: 10ms}"),
     "f.yaml:4:19: consumers[0].pull.expires: '10ms' is out of range; use 100ms to 5m"},
    {"NegativeDuration", WithConsumer("drain: {timeout: -5s}\n"),
     "f.yaml:1:18: drain.timeout: '-5s' is out of range; use 0 to 24h"},
    {"InfiniteDuration", WithConsumer("drain: {timeout: inf}\n"),
     "f.yaml:1:18: drain.timeout: 'inf' is out of range; use 0 to 24h"},
    {"UnknownWord", WithConsumer("log:\n  level: warn\n"),
     "f.yaml:2:10: log.level: 'warn' is not one of debug, info, warning, error; write one of them"},
    {"MisspeltWord", InConsumer("manage: ensrue"),
     "f.yaml:4:11: consumers[0].manage: 'ensrue' is not one of ensure, verify, off, did you mean 'ensure'?"},
    {"NotATime", InConsumer("config: {deliver_policy: by_start_time, opt_start_time: yesterday}"),
     "f.yaml:4:59: consumers[0].config.opt_start_time: 'yesterday' is not a time; write one such as "
     "2026-01-31T08:00:00Z"},

    // NATS's terms
    {"StreamWithDot", "consumers:\n- name: o\n  stream: A.B\n",
     "f.yaml:3:11: consumers[0].stream: 'A.B' is not a name for JetStream; leave out dots, spaces, slashes, '*' and "
     "'>'"},
    {"DurableWithWildcard", InConsumer("durable: o*"),
     "f.yaml:4:12: consumers[0].durable: 'o*' is not a name for JetStream; leave out dots, spaces, slashes, '*' and "
     "'>'"},
    {"EmptyName", "consumers:\n- name: ''\n  stream: S\n",
     "f.yaml:2:9: consumers[0].name: a name cannot be empty; give one"},
    {"SubjectWithSpace", InConsumer("config:\n  filter_subjects: ['a b']"),
     "f.yaml:5:23: consumers[0].config.filter_subjects[0]: 'a b' is not a subject: it has a space or control "
     "character; "
     "remove it"},
    {"SubjectWithEmptyToken", InConsumer("config:\n  filter_subjects: [a..b]"),
     "f.yaml:5:23: consumers[0].config.filter_subjects[0]: 'a..b' is not a subject: it has an empty token; remove the "
     "extra dot"},
    {"WildcardInTheMiddle", InConsumer("config:\n  filter_subjects: [a.b, a.>.b]"),
     "f.yaml:5:28: consumers[0].config.filter_subjects[1]: 'a.>.b' is not a subject: '>' must come last; use '*' for "
     "one "
     "token"},
    {"PrefixWithWildcard", WithConsumer("nats: {api_prefix: $JS.*}\n"),
     "f.yaml:1:20: nats.api_prefix: '$JS.*' must not have wildcards; write the token out"},
    {"UrlWithoutScheme", WithConsumer("nats: {servers: [localhost:4222]}\n"),
     "f.yaml:1:18: nats.servers[0]: 'localhost:4222' is not the address of a nats-server; write nats://host:port or "
     "tls://host:port"},
    {"UrlWithBadPort", WithConsumer("nats: {servers: ['nats://u:s3cret@h:99999']}\n"),
     "f.yaml:1:18: nats.servers[0]: 'nats://u:***@h:99999' does not name a host and a port from 1 to 65535; write "
     "nats://host:port"},
    {"UrlsWithCommas", WithConsumer("nats: {servers: 'nats://a,b'}\n"),
     "f.yaml:1:17: nats.servers[1]: 'b' is not the address of a nats-server; write nats://host:port or "
     "tls://host:port"},
    {"NoServer", WithConsumer("nats: {servers: []}\n"),
     "f.yaml:1:8: nats.servers: there is no server; add one, or leave the key out"},
    {"TcpWithoutPort", WithConsumer("listen: {tcp: localhost}\n"),
     "f.yaml:1:15: listen.tcp: 'localhost' is not host:port; write one such as 127.0.0.1:7070 or [::1]:7070"},
    {"TcpWithoutHost", WithConsumer("listen: {tcp: ':7070'}\n"),
     "f.yaml:1:15: listen.tcp: ':7070' is not host:port; write one such as 127.0.0.1:7070 or [::1]:7070"},
    {"SocketPathTooLong", WithConsumer("listen: {unix: /" + std::string(107, 'x') + "}\n"),
     "f.yaml:1:16: listen.unix: '/" + std::string(79, 'x') +
         "...' is 108 bytes long, and a socket's path has at most 107; use a shorter one"},
    {"UnreadableFile", WithConsumer("nats:\n  credentials_file: /does/not/exist\n"),
     "f.yaml:2:21: nats.credentials_file: '/does/not/exist' cannot be read: No such file or directory; check the path, "
     "the mount and its permissions"},
    {"DirectoryForFile", WithConsumer("nats:\n  credentials_file: /\n"),
     "f.yaml:2:21: nats.credentials_file: '/' cannot be read: Is a directory; check the path, the mount and its "
     "permissions"},
    {"SecretWithLineBreak", WithConsumer("nats: {token: \"a\\nb\"}\n"),
     "f.yaml:1:15: nats.token: the secret has a line break or control character, or more than 4096 bytes; check where "
     "it "
     "comes from"},
    {"ControlCharacter", WithConsumer("nats: {name: \"a\\tb\"}\n"),
     "f.yaml:1:14: nats.name: 'a?b' has a control character; remove it"},
    {"UnsetVariable", WithConsumer("nats:\n  token: ${NOT_SET}\n"),
     "f.yaml:2:10: nats.token: environment variable 'NOT_SET' is not set; set it, or write ${NOT_SET:-default}"},

    // Values that do not go together
    {"PasswordWithoutUser", WithConsumer("nats: {password: x}\n"),
     "f.yaml:1:8: nats.password: there is no user for this password; add 'user:'"},
    {"TwoLogins", WithConsumer("nats: {user: a, password: x, token: y}\n"),
     "f.yaml:1:30: nats.token: there is also 'nats.user'; keep one way to log in"},
    {"TlsNotEnabled", WithConsumer("nats: {tls: {server_name: x}}\n"),
     "f.yaml:1:14: nats.tls.server_name: TLS is not enabled; add 'enabled: true' beside it"},
    {"CertificateWithoutKey", WithConsumer("nats: {tls: {enabled: true, cert_file: /proc/self/status}}\n"),
     "f.yaml:1:29: nats.tls.cert_file: a certificate needs its key, and the other way round; add 'key_file:'"},
    {"KeyWithoutCertificate", WithConsumer("nats: {tls: {enabled: true, key_file: /proc/self/status}}\n"),
     "f.yaml:1:29: nats.tls.key_file: a certificate needs its key, and the other way round; add 'cert_file:'"},
    {"DomainAndPrefix", WithConsumer("nats: {domain: hub, api_prefix: JS.hub}\n"),
     "f.yaml:1:21: nats.api_prefix: a domain implies its own prefix; keep either 'domain' or 'api_prefix'"},
    {"NothingToListenOn", WithConsumer("listen: {unix: ''}\n"),
     "f.yaml:1:10: listen.unix: there is nothing to listen on; give a 'unix' path or a 'tcp' address"},
    {"HeartbeatTooLong", InConsumer("pull: {heartbeat: 600ms}"),
     "f.yaml:4:10: consumers[0].pull.heartbeat: the server refuses more than half of 'expires'; use at most 500ms"},
    {"ConfigWithoutManage", InConsumer("manage: off\nconfig: {max_deliver: 5}"),
     "f.yaml:5:3: consumers[0].config: with 'manage: off' nothing would look at it; remove it, or use 'manage: "
     "verify'"},
    {"StartWithoutPolicy", InConsumer("config: {opt_start_seq: 5}"),
     "f.yaml:4:12: consumers[0].config.opt_start_seq: only for 'deliver_policy: by_start_sequence'; remove it, or set "
     "that"},
    {"PolicyWithoutStart", InConsumer("config: {deliver_policy: by_start_time}"),
     "f.yaml:4:12: consumers[0].config.deliver_policy: 'deliver_policy: by_start_time' needs it; add "
     "'opt_start_time:'"},
    {"AckWaitAndBackoff", InConsumer("config: {ack_wait: 5s, backoff: [1s]}"),
     "f.yaml:4:12: consumers[0].config.ack_wait: the server replaces it by the first 'backoff'; remove it"},
    {"BackoffLongerThanMaxDeliver", InConsumer("config: {backoff: [1s, 2s], max_deliver: 1}"),
     "f.yaml:4:31: error: backoff-longer-than-max-deliver: consumers[0].config.max_deliver is 1, below the 2 steps of "
     "backoff: the server refuses such a consumer; raise it, or shorten the backoff"},
    {"DuplicateName", "consumers:\n- {name: o, stream: S}\n- {name: o, stream: T}\n",
     "f.yaml:3:4: consumers[1].name: 'o' is the name of consumers[0] already; choose another"},
    {"DuplicateDurable", "consumers:\n- {name: o, stream: S}\n- {name: p, stream: S, durable: o}\n",
     "f.yaml:3:24: error: durable-twice: consumers[1].durable is 'o' of stream 'S', as that of consumers[0]: the two "
     "would take each other's messages; keep one, and let the apps of both ask for it"},

    {"KeyWithoutOrdering", InConsumer("key: {subject_token: 1}"),
     "f.yaml:4:3: consumers[0].key: only for 'ordering: key' or 'exclusive'; remove it, or set one"},
    {"OrderingWithoutKey", InConsumer("ordering: key"),
     "f.yaml:4:3: consumers[0].ordering: a key stands somewhere; add 'key: {subject_token: N}' or 'key: {header: "
     "Name}'"},
    {"EmptyKey", InConsumer("ordering: key\nkey: {}"),
     "f.yaml:5:3: consumers[0].key: a key stands somewhere; add 'key: {subject_token: N}' or 'key: {header: Name}'"},
    {"TwoKeys", InConsumer("ordering: key\nkey: {subject_token: 1, header: A}"),
     "f.yaml:5:27: consumers[0].key.header: there is also 'subject_token'; keep one of them"},
    {"TokenZero", InConsumer("ordering: key\nkey: {subject_token: 0}"),
     "f.yaml:5:24: consumers[0].key.subject_token: '0' is not a position; use 1 to 255, or -1 to -255 from the end"},
    {"HeaderWithColon", InConsumer("ordering: key\nkey: {header: 'A:'}"),
     "f.yaml:5:17: consumers[0].key.header: 'A:' is not the name of a header; use 1 to 255 bytes, without spaces and "
     "colons"},
    {"UnknownOrdering", InConsumer("ordering: keys"),
     "f.yaml:4:13: consumers[0].ordering: 'keys' is not one of none, key, exclusive, did you mean 'key'?"},
    {"ExclusiveWithoutOrdering", InConsumer("ordering: key\nkey: {header: A}\nexclusive: {priority_group: g}"),
     "f.yaml:6:3: consumers[0].exclusive: only for 'ordering: exclusive'; remove it, or set that"},
    {"ExclusiveWithAnEmptyKey", InConsumer("ordering: exclusive\nkey: {}"),
     "f.yaml:5:3: consumers[0].key: a key stands somewhere; add 'key: {subject_token: N}' or 'key: {header: Name}'"},
    {"MaxUnackedOfExplicitAcks", InConsumer("ordering: exclusive\nmax_unacked: 10"),
     "f.yaml:5:3: consumers[0].max_unacked: only for 'config.ack_policy: all'; remove it, or set that"},
    {"AckPolicyNone", InConsumer("config: {ack_policy: none}"),
     "f.yaml:4:24: consumers[0].config.ack_policy: 'none' is not one of explicit, all; write one of them"},
    {"PullBeyondThePin", InConsumer("ordering: exclusive\npull: {expires: 2s}"),
     "f.yaml:5:10: consumers[0].pull.expires: a pull of 2s must be renewed well within priority_timeout, which is 3s; "
     "raise that to twice pull.expires, or shorten the pull"},
    {"PriorityGroupOfSpaces", InConsumer("ordering: exclusive\nexclusive: {priority_group: 'a b'}"),
     "f.yaml:5:31: consumers[0].exclusive.priority_group: 'a b' is not a priority group; use 1 to 16 letters, digits, "
     "'/', '_', '=' or '-'"},
    {"BackoffAndInitial", InConsumer("redelivery: {backoff: [1s], initial: 1s}"),
     "f.yaml:4:31: consumers[0].redelivery.initial: there is also 'backoff'; keep one of them"},
    {"FactorWithoutInitial", InConsumer("redelivery: {factor: 2}"),
     "f.yaml:4:16: consumers[0].redelivery.factor: it grows from 'initial'; add that"},
    {"InitialBeyondMax", InConsumer("redelivery: {initial: 10m}"),
     "f.yaml:4:16: consumers[0].redelivery.initial: longer than 'max', which is 5m; shorten it, or raise 'max'"},
    {"NotANumber", InConsumer("redelivery: {initial: 1s, jitter: nan}"),
     "f.yaml:4:37: consumers[0].redelivery.jitter: 'nan' is out of range; use 0 to 1"},

    {"DeadLetterWithoutSubject", InConsumer("dead_letter: {on_term: true}"),
     "f.yaml:4:3: consumers[0].dead_letter: a dead letter goes somewhere; add 'subject:', or remove it all"},
    {"EmptyDeadLetter", InConsumer("dead_letter: {}"),
     "f.yaml:4:3: consumers[0].dead_letter: a dead letter goes somewhere; add 'subject:', or remove it all"},
    {"DeadLetterWildcard", InConsumer("dead_letter: {subject: dead.*}"),
     "f.yaml:4:26: consumers[0].dead_letter.subject: 'dead.*' must not have wildcards; write the token out"},
    {"DeadLetterWithSpace", InConsumer("dead_letter: {subject: 'dead letters'}"),
     "f.yaml:4:26: consumers[0].dead_letter.subject: 'dead letters' is not a subject: it has a space or control "
     "character; remove it"},
    {"DeadLetterInItsOwnFilter",
     InConsumer("config: {filter_subjects: ['orders.>']}\ndead_letter: {subject: orders.dead}"),
     "f.yaml:5:17: error: dead-letter-loop: consumers[0].dead_letter.subject is 'orders.dead', which the consumer's "
     "filter 'orders.>' lets through: its dead letters would come back to it, and go round for ever; choose a subject "
     "outside of its filter, best in a stream of its own"},
    {"MaxDeliveriesBelowMaxAttempts",
     InConsumer("redelivery: {max_attempts: 5}\ndead_letter: {subject: dead, max_deliveries: 5}"),
     "f.yaml:5:32: consumers[0].dead_letter.max_deliveries: not above 'redelivery.max_attempts', which is 5, so that a "
     "message would be set aside before its last attempt; raise it: releases by drains count as deliveries"},

    // YAML
    {"EmptyFile", "", "f.yaml:1:1: the file is empty; start with a list 'consumers:', see docs/configuration.md"},
    {"CommentsOnly", "# nothing\n",
     "f.yaml:1:1: the file is empty; start with a list 'consumers:', see docs/configuration.md"},
    {"SeveralDocuments", WithConsumer("") + "---\na: 1\n",
     "f.yaml:2:1: the document ends here, but the file goes on; keep one document, and close each bracket once"},
    {"OneBracketTooMany", "consumers: []\n]\n",
     "f.yaml:2:1: not YAML: illegal flow end; check indentation, brackets and quotes before it"},
    // yaml-cpp's LoadAll() does not return from this one.
    {"StrayColon", "- name: o\n:\n",
     "f.yaml:2:1: the document ends here, but the file goes on; keep one document, and close each bracket once"},
    {"OpenBracket", "consumers: [{name: o\nlog: x",
     "f.yaml:2:4: not YAML: end of map flow not found; check indentation, brackets and quotes before it"},
    {"Tab", "log:\n\tlevel: info\n",
     "f.yaml:2:7: not YAML: illegal map value; check indentation, brackets and quotes before it"},
    {"UnknownAlias", "consumers: *all\n",
     "f.yaml:1:12: not YAML: the referenced anchor is not defined; check indentation, brackets and quotes before it"},
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.yaml; }

class FaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultTest, IsToldWithItsPlace) {
  EXPECT_THAT(Problems(ParseText(GetParam().yaml)), ElementsAre(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(Load, FaultTest, ::testing::ValuesIn(kFaults),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Load, TellsAllProblemsInOrder) {
  const Loaded loaded =
      ParseText("drain: {timeout: soon}\nnats: {users: a, password: x}\nconsumers: [{stream: A.B}]\n");
  EXPECT_THAT(Problems(loaded), ElementsAre(StartsWith("f.yaml:1:18: drain.timeout: 'soon' is not a duration"),
                                            StartsWith("f.yaml:2:8: unknown key 'users', did you mean 'user'?"),
                                            StartsWith("f.yaml:2:18: nats.password: there is no user"),
                                            StartsWith("f.yaml:3:13: consumers[0]: the key 'name' is missing"),
                                            StartsWith("f.yaml:3:22: consumers[0].stream: 'A.B' is not a name")));
}

TEST(Load, AnchorsAreFine) {
  const Loaded loaded = ParseText("consumers:\n- &a {name: o, stream: &s S}\n- {name: p, stream: *s}\n");
  ASSERT_THAT(Problems(loaded), IsEmpty());
  EXPECT_EQ(loaded.config.consumers[1].options.stream, "S");
}

TEST(Load, OverridesOutrankTheFile) {
  const std::vector<Override> overrides = {{"nats.servers", "nats://a,nats://b", "--nats"},
                                           {"drain.timeout", "7s", "--drain-timeout"},
                                           {"nats.api_prefix", "$$JS.${x}", "--api-prefix"}};
  const Loaded loaded = ParseText(WithConsumer("drain: {timeout: 1s}\n"), overrides);
  ASSERT_THAT(Problems(loaded), IsEmpty());
  EXPECT_THAT(loaded.config.nats.servers, ElementsAre("nats://a", "nats://b"));
  EXPECT_EQ(loaded.config.drain.timeout, absl::Seconds(7));
  EXPECT_EQ(loaded.config.consumers[0].options.drain_timeout, absl::Seconds(7));
  EXPECT_EQ(loaded.config.nats.api_prefix, "$$JS.${x}");  // literally
}

TEST(Load, ProblemsWithOverridesNameTheirOrigin) {
  const std::vector<Override> overrides = {{"nats.servers", "nats://a,b", "SLUICE_NATS_URL"},
                                           {"log.level", "loud", "--log-level"},
                                           {"listen.unix", "", "--listen-unix"}};
  EXPECT_THAT(Problems(ParseText(kConsumer, overrides)),
              ElementsAre(StartsWith("SLUICE_NATS_URL: nats.servers[1]: 'b' is not the address of a nats-server"),
                          StartsWith("--log-level: log.level: 'loud' is not one of"),
                          StartsWith("--listen-unix: listen.unix: there is nothing to listen on")));
  // The file's own faults stay, and are told once.
  EXPECT_THAT(Problems(ParseText(WithConsumer("log: [x]\n"), {{"log.level", "info", "--log-level"}})),
              ElementsAre(StartsWith("f.yaml:1:6: log: expected a mapping")));
}

TEST(Load, FilesThatCannotBeRead) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / absl::StrCat("sluice-load-test-", getpid());
  std::filesystem::create_directory(folder);
  const std::string file = folder / "f.yaml";

  EXPECT_THAT(Problems(Load(file)),
              ElementsAre(file + ": cannot be read: No such file or directory; give the file with "
                                 "--config or SLUICE_CONFIG"));
  EXPECT_THAT(Problems(Load(folder)), ElementsAre(StartsWith(folder.string() + ": cannot be read: Is a directory")));
  std::ofstream(file) << std::string(2 << 20, '#');
  EXPECT_THAT(Problems(Load(file)), ElementsAre(StartsWith(file + ": larger than 1 MiB")));
  std::ofstream(file) << kConsumer;
  EXPECT_THAT(Problems(Load(file)), IsEmpty());
  std::filesystem::remove_all(folder);
}

TEST(Load, SecretsInFilesOfTheirOwn) {
  const std::string path = testing::TempDir() + "/sluice-load-secret";
  std::ofstream(path) << "s3cret\n";
  const auto load = [](const std::string& nats) {
    return Parse("nats: {" + nats + "}\nconsumers: [{name: a, stream: A}]\n", "sluice.yaml", {},
                 [](const std::string&) { return std::nullopt; });
  };
  Loaded loaded = load("user: app, password_file: " + path);
  ASSERT_TRUE(loaded.ok()) << loaded.problems.front().ToString();
  EXPECT_EQ(loaded.config.nats.password, "s3cret");
  loaded = load("token_file: " + path);
  ASSERT_TRUE(loaded.ok()) << loaded.problems.front().ToString();
  EXPECT_EQ(loaded.config.nats.token, "s3cret");
  loaded = load("user_file: " + path + ", password_file: " + path);
  ASSERT_TRUE(loaded.ok()) << loaded.problems.front().ToString();
  EXPECT_EQ(loaded.config.nats.user, "s3cret");
  EXPECT_EQ(loaded.config.nats.password, "s3cret");
  const std::string empty = testing::TempDir() + "/sluice-load-empty";
  std::ofstream(empty) << "\n";
  EXPECT_THAT(Problems(load("token_file: " + empty)),
              ElementsAre("sluice.yaml:1:8: nats.token_file: the file is empty; write the secret into it"));
  for (const std::string& bad :
       {"password_file: " + path, "user: app, password: x, password_file: " + path, "user: app, user_file: " + path,
        "user_file: " + path + ", token: x", "user: app, token_file: " + path, std::string("token_file: /nowhere")}) {
    EXPECT_FALSE(load(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace sluice::config
