#include "config/schema.h"

#include "config/key.h"

namespace sluice::config {
namespace {

using core::ConsumerOptions;
using core::DurableConfig;

// Bounds beyond which a value is surely a mistake.
constexpr absl::Duration kDay = absl::Hours(24);
constexpr int64_t kMostPullBatch = 4096;  // 256 is as fast as more
constexpr int64_t kMostStreams = 65535;
constexpr int64_t kMostWaiting = 1'000'000;
constexpr int64_t kMostCredit = 1 << 20;  // the contract's own limit
constexpr int64_t kMostTokens = 255;      // of a subject
constexpr int64_t kMostAttempts = 1'000'000;
constexpr int64_t kMostFailures = 10'000;
constexpr int64_t kMostUnacked = 1'000'000;
constexpr double kMostFactor = 100;
constexpr size_t kMostText = 255;
constexpr size_t kMostPath = 4096;
constexpr size_t kMostDescription = 4096;  // nats-server's JSMaxDescriptionLen

Kind<Tls> TlsKind() {
  return MappingOf<Tls>({
      {"enabled", &Tls::enabled, Boolean(), "Requires TLS. A server that is named `tls://` gets it in any case."},
      {"ca_file", &Tls::ca_file, ReadableFile(), "CA certificates (PEM) to trust; empty: the system's."},
      {"cert_file", &Tls::cert_file, ReadableFile(), "Client certificate (PEM). Needs `key_file`."},
      {"key_file", &Tls::key_file, ReadableFile(), "The client certificate's private key (PEM)."},
      {"server_name", &Tls::server_name, Text(kMostText),
       "Name expected in the server's certificate; empty: the host's."},
      {"insecure_skip_verify", &Tls::insecure_skip_verify, Boolean(), "Accepts any certificate. For experiments only."},
  });
}

Kind<Nats> NatsKind() {
  return MappingOf<Nats>({
      {"servers", &Nats::servers, CommaList(ServerUrl(), "URLs"), "Where to find NATS; tried in random order."},
      {"name", &Nats::name, Text(kMostText), "The connection's name, as `nats server report connections` shows it."},
      {"user", &Nats::user, Text(kMostText), "Logs in with this user and `password`."},
      {"user_file", &Nats::user_file, ReadableFile(),
       "Logs in with the user in this file, so that it can change together with the password."},
      {"password", &Nats::password, Secret(), "Of `user`."},
      {"password_file", &Nats::password_file, ReadableFile(),
       "Of `user`, in a file of its own, so that it can change while the daemon runs."},
      {"token", &Nats::token, Secret(), "Logs in with a token."},
      {"token_file", &Nats::token_file, ReadableFile(), "Logs in with the token in this file."},
      {"credentials_file", &Nats::credentials_file, ReadableFile(),
       "Logs in with a `.creds` file (JWT and NKey seed)."},
      {"nkey_seed_file", &Nats::nkey_seed_file, ReadableFile(), "Logs in with the NKey seed in this file."},
      {"tls", &Nats::tls, TlsKind(), "TLS towards NATS."},
      {"domain", &Nats::domain, NatsName(), "The JetStream domain, as behind a leaf node."},
      {"api_prefix", &Nats::api_prefix, SubjectPrefix(),
       "Subject prefix of the JetStream API, where an account imports it under another one. Not together with "
       "`domain`."},
      {"reconnect_wait", &Nats::reconnect_wait, DurationIn(absl::Milliseconds(10), absl::Minutes(1)),
       "Longest pause between two attempts; the first ones come sooner. Tried for ever."},
  });
}

Kind<Listen> ListenKind() {
  return MappingOf<Listen>({
      {"unix", &Listen::unix_socket, SocketPath(),
       "Unix socket for the apps, with mode 0660; a stale one is replaced. Empty: none."},
      {"tcp", &Listen::tcp, TcpAddress(),
       "TCP address for the apps. There is no login: keep it on 127.0.0.1. Port 0 lets the system choose. Empty: "
       "none."},
      Key<Listen>("token_key_file", &Listen::token_key_file, Text(kMostPath),
                  "The key of the tokens that apps resume with after a crash; made with mode 0600 if it is not there. "
                  "Keep it where it outlives the container, as an emptyDir does.")
          .DefaultIs("`listen.unix` and `.key`"),
      {"reflection", &Listen::reflection, Boolean(), "Serves gRPC reflection, for `grpcurl` and the like."},
  });
}

Kind<Admin> AdminKind() {
  return MappingOf<Admin>({
      {"listen", &Admin::listen, TcpAddress(),
       "HTTP address of probes and metrics; in a pod `0.0.0.0:9422`, as the kubelet asks at the pod's own. Port 0 lets "
       "the system choose. Empty: none."},
      {"readiness", &Admin::readiness,
       OneOf<Readiness>(
           {{"process", Readiness::kProcess}, {"nats", Readiness::kNats}, {"consumers", Readiness::kConsumers}}),
       "What `/readyz` asks for, besides that no drain runs: `process`: nothing; `nats`: the connection to NATS; "
       "`consumers`: also that no consumer is missing or invalid."},
      {"liveness_timeout", &Admin::liveness_timeout, DurationIn(absl::Milliseconds(300), absl::Minutes(10)),
       "How long the event loop or the gRPC listener may be silent before `/livez` fails."},
      {"quit", &Admin::quit, Boolean(),
       "Obeys `POST /quitquitquit` from 127.0.0.1: drains, and ends the process. For Jobs with an ordinary container "
       "as "
       "sidecar."},
  });
}

Kind<Log> LogKind() {
  using base::Severity;
  return MappingOf<Log>({
      {"level", &Log::level,
       OneOf<Severity>({{"debug", Severity::kDebug},
                        {"info", Severity::kInfo},
                        {"warning", Severity::kWarning},
                        {"error", Severity::kError}}),
       "The least severe lines that are written."},
      {"format", &Log::format, OneOf<LogFormat>({{"json", LogFormat::kJson}, {"text", LogFormat::kText}}),
       "One JSON object a line, or text for people. On standard error."},
  });
}

Kind<Reload> ReloadKind() {
  return MappingOf<Reload>({
      {"interval", &Reload::interval, DurationIn(absl::ZeroDuration(), absl::Hours(1)),
       "How often this file, and those that `nats` names, are looked at for changes. 0: only at `SIGHUP`."},
  });
}

Kind<Drain> DrainKind() {
  return MappingOf<Drain>({
      {"timeout", &Drain::timeout, DurationIn(absl::ZeroDuration(), kDay),
       "How long a drain waits for the apps to finish what they hold; then that is NAKed. Keep it 10 s below "
       "`terminationGracePeriodSeconds`."},
  });
}

Kind<Deployment> DeploymentKind() {
  return MappingOf<Deployment>({
      {"grace_period", &Deployment::grace_period, DurationIn(absl::Seconds(1), kDay),
       "The pod's `terminationGracePeriodSeconds`."},
      {"pods", &Deployment::pods, IntegerIn(1, kMostWaiting), "How many pods share the consumers, at most."},
      {"credit", &Deployment::credit, IntegerIn(1, kMostCredit), "The largest credit that an app gives, in messages."},
  });
}

Kind<ConsumerOptions> PullKind() {
  return MappingOf<ConsumerOptions>({
      {"batch", &ConsumerOptions::pull_batch, As<uint32_t>(IntegerIn(1, kMostPullBatch)),
       "Most messages in a pull request; the apps' free credit bounds it too. One request is open at a time."},
      {"expires", &ConsumerOptions::pull_expires, DurationIn(absl::Milliseconds(100), absl::Minutes(5)),
       "How long a pull request stays open while nothing comes. Bounds how long the drain of an idle consumer takes."},
      Key<ConsumerOptions>("heartbeat", &ConsumerOptions::pull_heartbeat,
                           DurationIn(absl::Milliseconds(50), absl::Minutes(2)),
                           "How often the server shows that an idle request is alive; at most half of `expires`.")
          .DefaultIs("half of `expires`"),
  });
}

Kind<ConsumerOptions> LeaseKind() {
  return MappingOf<ConsumerOptions>({
      {"max", &ConsumerOptions::lease_max, DurationIn(absl::Seconds(1), kDay),
       "How long a message is kept leased for an app that does not say a word about it; then JetStream delivers it "
       "again."},
  });
}

Kind<core::KeySelector> KeyKind() {
  using core::KeySelector;
  return MappingOf<KeySelector>({
      {"subject_token", &KeySelector::subject_token, As<int32_t>(Position(kMostTokens)),
       "The key is this token of the subject: 1 is the first, -1 the last."},
      {"header", &KeySelector::header, HeaderName(),
       "The key is the first value of this header; upper and lower case "
       "count."},
  });
}

Kind<ConsumerOptions> ExclusiveKind() {
  return MappingOf<ConsumerOptions>({
      {"priority_group", &ConsumerOptions::priority_group, PriorityGroup(),
       "JetStream's priority group, in which one client is pinned. The same for the whole fleet."},
      {"priority_timeout", &ConsumerOptions::priority_timeout, DurationIn(absl::Seconds(1), absl::Minutes(5)),
       "After this long without a pull JetStream takes the active pod for gone, and the next one takes over. At least "
       "twice `pull.expires`."},
  });
}

Kind<core::RedeliveryPolicy> RedeliveryKind() {
  using absl::Milliseconds;
  using core::RedeliveryPolicy;
  return MappingOf<RedeliveryPolicy>({
      {"backoff", &RedeliveryPolicy::backoff, ListOf(DurationIn(Milliseconds(1), kDay), "durations"),
       "How long a failed message waits: after the first failure, the second, ...; the last one for all later ones."},
      {"initial", &RedeliveryPolicy::initial, DurationIn(Milliseconds(1), kDay),
       "Instead of `backoff`: how long it waits after the first failure."},
      Key<RedeliveryPolicy>("factor", &RedeliveryPolicy::factor, NumberIn(1, kMostFactor),
                            "By how much longer it waits after each further one. Needs `initial`.")
          .DefaultIs("`2`"),
      Key<RedeliveryPolicy>("max", &RedeliveryPolicy::max, DurationIn(Milliseconds(1), kDay),
                            "The longest wait. Needs `initial`.")
          .DefaultIs("`5m`"),
      Key<RedeliveryPolicy>("jitter", &RedeliveryPolicy::jitter, NumberIn(0, 1),
                            "Each wait is longer or shorter by up to this part of it, at random. Needs `initial`.")
          .DefaultIs("`0.2`"),
      {"max_attempts", &RedeliveryPolicy::max_attempts, As<uint64_t>(IntegerIn(0, kMostAttempts)),
       "After this many attempts a failed message becomes a dead letter. Without `dead_letter` and with `ordering: "
       "key` "
       "or `exclusive`, it no longer holds up its key, but goes back to JetStream. 0: no limit."},
      {"delayed_share", &RedeliveryPolicy::delayed_share, As<uint32_t>(IntegerIn(1, 100)),
       "How many messages may wait for more than 1s at a time, in percent of `max_ack_pending`."},
  });
}

Kind<core::DeadLetterPolicy> DeadLetterKind() {
  using core::DeadLetterPolicy;
  return MappingOf<DeadLetterPolicy>({
      {"subject", &DeadLetterPolicy::subject, LiteralSubject(),
       "Where dead letters are published; some stream must hold it. Not given: there are none."},
      {"on_term", &DeadLetterPolicy::on_term, Boolean(), "What an app terminates becomes one too."},
      {"max_deliveries", &DeadLetterPolicy::max_deliveries, As<uint64_t>(IntegerIn(0, kMostAttempts)),
       "What JetStream has delivered more often becomes one before an app sees it again: for a message that kills its "
       "app before any verdict. Releases by drains count, so keep it well above `redelivery.max_attempts`. 0: no "
       "limit."},
  });
}

// JetStream's own names; see https://docs.nats.io/nats-concepts/jetstream/consumers. Not given: the server's default,
// or what the consumer has.
Kind<DurableConfig> DurableKind() {
  using absl::Hours;
  using absl::Milliseconds;
  const Words<std::string> deliver_policies = {{"all", "all"},
                                               {"last", "last"},
                                               {"new", "new"},
                                               {"by_start_sequence", "by_start_sequence"},
                                               {"by_start_time", "by_start_time"},
                                               {"last_per_subject", "last_per_subject"}};
  const Words<std::string> ack_policies = {{"explicit", "explicit"}, {"all", "all"}};
  const Words<std::string> replay_policies = {{"instant", "instant"}, {"original", "original"}};
  return MappingOf<DurableConfig>({
      {"description", &DurableConfig::description, Text(kMostDescription), "For people."},
      {"filter_subjects", &DurableConfig::filter_subjects, ListOf(Subject(), "subjects"),
       "Only messages of these subjects. More than one needs nats-server 2.10."},
      {"deliver_policy", &DurableConfig::deliver_policy, OneOf(deliver_policies),
       "Where a new consumer begins. Cannot be changed later."},
      {"opt_start_seq", &DurableConfig::opt_start_seq, As<uint64_t>(IntegerIn(1, std::numeric_limits<int64_t>::max())),
       "For `deliver_policy: by_start_sequence`."},
      {"opt_start_time", &DurableConfig::opt_start_time, Timestamp(), "For `deliver_policy: by_start_time`."},
      {"replay_policy", &DurableConfig::replay_policy, OneOf(replay_policies),
       "At once, or at the pace at which the messages came."},
      {"ack_policy", &DurableConfig::ack_policy, OneOf(ack_policies),
       "`explicit`, which it is if not given: each message is acked by itself. `all`: an ACK is one of all messages "
       "before it as well, so that one that is not finished holds up the ACKs of all behind it. Needs `ordering: "
       "exclusive`. Cannot be changed later."},
      {"ack_wait", &DurableConfig::ack_wait, DurationIn(Milliseconds(100), Hours(168)),
       "How long the server waits for a verdict before it delivers again. Sluice extends it while an app is at work."},
      {"max_deliver", &DurableConfig::max_deliver, CountOrUnlimited(),
       "Attempts for a message. A release by a drain counts."},
      {"max_ack_pending", &DurableConfig::max_ack_pending, CountOrUnlimited(),
       "Most messages that wait for a verdict, in the whole fleet."},
      {"max_waiting", &DurableConfig::max_waiting, IntegerIn(1, kMostWaiting),
       "Most open pull requests. One per pod: a pod too many gets nothing, without a word."},
      {"backoff", &DurableConfig::backoff, ListOf(DurationIn(Milliseconds(100), Hours(168)), "durations"),
       "Instead of `ack_wait`: by attempt, the last one for all later attempts."},
      {"inactive_threshold", &DurableConfig::inactive_threshold, DurationIn(Milliseconds(100), Hours(24 * 365)),
       "The server deletes the consumer after this long without a pull."},
      {"num_replicas", &DurableConfig::num_replicas, IntegerIn(0, 5),
       "Copies of its state; 0: as many as the stream's."},
      {"mem_storage", &DurableConfig::mem_storage, Boolean(), "Keeps its state in memory."},
      {"metadata", &DurableConfig::metadata, TextMap(kMostDescription),
       "For people and tools. Needs nats-server 2.10."},
  });
}

Kind<core::AppHealthPolicy> AppHealthKind() {
  using core::AppHealthPolicy;
  return MappingOf<AppHealthPolicy>({
      {"failures", &AppHealthPolicy::failures, As<uint32_t>(IntegerIn(0, kMostFailures)),
       "After so many failures in a row the apps get one message at a time until they ack one; 0: never."},
      {"window", &AppHealthPolicy::window, DurationIn(absl::Milliseconds(100), kDay),
       "The failures have to come within this time."},
  });
}

Kind<Consumer> ConsumerKind() {
  using core::Manage;
  using core::Ordering;
  const auto options = &Consumer::options;
  return MappingOf<Consumer>({
      Key<Consumer>("name", At(options, &ConsumerOptions::name), NatsName(), "What apps ask for. Unique.").Required(),
      Key<Consumer>("stream", At(options, &ConsumerOptions::stream), NatsName(), "The JetStream stream.").Required(),
      Key<Consumer>("durable", At(options, &ConsumerOptions::durable), NatsName(),
                    "The JetStream consumer. All pods of a fleet share it.")
          .DefaultIs("`name`"),
      {"manage", &Consumer::manage,
       OneOf<Manage>({{"ensure", Manage::kEnsure}, {"verify", Manage::kVerify}, {"off", Manage::kOff}}),
       "`ensure` creates or updates the JetStream consumer to be as in `config`, and checks the result; `verify` only "
       "checks; `off` takes it as it is. Nothing is ever deleted."},
      {"ordering", At(options, &ConsumerOptions::ordering),
       OneOf<Ordering>({{"none", Ordering::kNone}, {"key", Ordering::kKey}, {"exclusive", Ordering::kExclusive}}),
       "`none`: messages are handled side by side; `key`: of each key one at a time, in stream order, within this pod; "
       "`exclusive`: the same in the whole fleet, of which one pod at a time is active. Needs nats-server 2.11."},
      {"key", At(options, &ConsumerOptions::key), KeyKind(),
       "Where the key of a message stands. With `ordering: exclusive` not required: all messages are one key then."},
      {"exclusive", options, ExclusiveKind(), "Of `ordering: exclusive`."},
      {"waiting_share", At(options, &ConsumerOptions::waiting_share), As<uint32_t>(IntegerIn(1, 100)),
       "With `ordering: key` or `exclusive`: how many messages may wait here for an earlier one of their key, in "
       "percent of "
       "`max_ack_pending`."},
      {"coalesce_acks", At(options, &ConsumerOptions::coalesce_acks), Boolean(),
       "With `config.ack_policy: all`: one ACK for all that have become finished in a row, and not one each."},
      {"max_unacked", At(options, &ConsumerOptions::max_unacked), As<uint64_t>(IntegerIn(1, kMostUnacked)),
       "With `config.ack_policy: all`: the apps are given no more than so many messages from the first one that is not "
       "finished. What is finished behind it is not acked, and is done again after a kill."},
      {"redelivery", At(options, &ConsumerOptions::redelivery), RedeliveryKind(), "When what failed is tried again."},
      {"app_health", At(options, &ConsumerOptions::app_health), AppHealthKind(), "When the apps count as broken."},
      {"dead_letter", At(options, &ConsumerOptions::dead_letter), DeadLetterKind(),
       "Where what failed for good is set aside."},
      {"pull", options, PullKind(), "How messages are fetched."},
      {"lease", options, LeaseKind(), "How long apps may hold messages."},
      {"resume_window", At(options, &ConsumerOptions::resume_window),
       DurationIn(absl::ZeroDuration(), absl::Minutes(10)),
       "How long what a broken stream held is kept for the same `client_id`; then it is NAKed."},
      {"max_streams", At(options, &ConsumerOptions::max_streams), As<uint32_t>(IntegerIn(1, kMostStreams)),
       "Most app streams at once."},
      {"config", &Consumer::config, DurableKind(), "What the JetStream consumer should be."},
  });
}

Kind<Config> ConfigKind() {
  return MappingOf<Config>({
      {"nats", &Config::nats, NatsKind(), "The connection to NATS."},
      {"listen", &Config::listen, ListenKind(), "Where apps connect."},
      {"admin", &Config::admin, AdminKind(), "Probes and metrics."},
      {"log", &Config::log, LogKind(), "What is logged."},
      {"reload", &Config::reload, ReloadKind(), "How the configuration is kept current."},
      {"drain", &Config::drain, DrainKind(), "How the daemon ends."},
      {"deployment", &Config::deployment, DeploymentKind(), "What the daemon cannot see of where it runs."},
      Key<Config>("consumers", &Config::consumers, ListOf(ConsumerKind(), "consumers"), "What apps can consume.")
          .Required(),
  });
}

}  // namespace

std::unique_ptr<const Kind<Config>> Schema() { return std::make_unique<const Kind<Config>>(ConfigKind()); }

}  // namespace sluice::config
