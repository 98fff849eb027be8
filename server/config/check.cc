#include "config/check.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/subject.h"

namespace sluice::config {
namespace {

void CheckLogin(const Nats& nats, Reader& reader) {
  const char* const password = nats.password.empty() ? "nats.password_file" : "nats.password";
  const bool has_password = !nats.password.empty() || !nats.password_file.empty();
  if (has_password && nats.user.empty() && nats.user_file.empty()) {
    reader.ComplainAt(password, "there is no user for this password; add 'user:'");
  }
  if (!nats.password.empty() && !nats.password_file.empty()) {
    reader.ComplainAt("nats.password_file", "there is also 'nats.password'; keep one of them");
  }
  const std::pair<const char*, const std::string*> ways[] = {{"nats.user", &nats.user},
                                                             {"nats.user_file", &nats.user_file},
                                                             {"nats.token", &nats.token},
                                                             {"nats.token_file", &nats.token_file},
                                                             {"nats.credentials_file", &nats.credentials_file},
                                                             {"nats.nkey_seed_file", &nats.nkey_seed_file}};
  const char* chosen = nullptr;
  for (const auto& [key, value] : ways) {
    if (value->empty()) continue;
    if (chosen != nullptr) {
      reader.ComplainAt(key, absl::StrCat("there is also '", chosen, "'; keep one way to log in"));
    }
    chosen = key;
  }
}

void CheckTls(const Tls& tls, Reader& reader) {
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    const bool has_certificate = !tls.cert_file.empty();
    reader.ComplainAt(has_certificate ? "nats.tls.cert_file" : "nats.tls.key_file",
                      absl::StrCat("a certificate needs its key, and the other way round; add '",
                                   has_certificate ? "key_file" : "cert_file", ":'"));
  }
  const std::pair<const char*, bool> options[] = {{"nats.tls.ca_file", !tls.ca_file.empty()},
                                                  {"nats.tls.cert_file", !tls.cert_file.empty()},
                                                  {"nats.tls.server_name", !tls.server_name.empty()},
                                                  {"nats.tls.insecure_skip_verify", tls.insecure_skip_verify}};
  for (const auto& [key, given] : options) {
    if (given && !tls.enabled) return reader.ComplainAt(key, "TLS is not enabled; add 'enabled: true' beside it");
  }
}

void CheckNats(const Nats& nats, Reader& reader) {
  if (nats.servers.empty()) reader.ComplainAt("nats.servers", "there is no server; add one, or leave the key out");
  if (!nats.domain.empty() && nats.api_prefix != Nats().api_prefix) {
    reader.ComplainAt("nats.api_prefix", "a domain implies its own prefix; keep either 'domain' or 'api_prefix'");
  }
  CheckLogin(nats, reader);
  CheckTls(nats.tls, reader);
}

void CheckStart(const core::DurableConfig& config, const std::string& path, Reader& reader) {
  const std::string policy = config.deliver_policy.value_or("all");
  const auto check = [&](const char* key, bool given, const char* wanted_by) {
    if (given == (policy == wanted_by)) return;
    const std::string what = given ? absl::StrCat("only for 'deliver_policy: ", wanted_by, "'; remove it, or set that")
                                   : absl::StrCat("'deliver_policy: ", wanted_by, "' needs it; add '", key, ":'");
    reader.ComplainAt(absl::StrCat(path, ".", given ? key : "deliver_policy"), what);
  };
  check("opt_start_seq", config.opt_start_seq.has_value(), "by_start_sequence");
  check("opt_start_time", config.opt_start_time.has_value(), "by_start_time");
}

void CheckDurable(const core::DurableConfig& config, const std::string& path, Reader& reader) {
  CheckStart(config, path, reader);
  if (config.backoff.empty()) return;
  if (config.ack_wait.has_value() && *config.ack_wait != config.backoff[0]) {
    reader.ComplainAt(path + ".ack_wait", "the server replaces it by the first 'backoff'; remove it");
  }
  const auto steps = static_cast<int64_t>(config.backoff.size());
  if (config.max_deliver.value_or(-1) != -1 && *config.max_deliver < steps) {
    reader.ComplainAt(path + ".max_deliver", kBackoffLongerThanMaxDeliver,
                      absl::StrCat("is ", *config.max_deliver, ", below the ", steps, " steps of backoff"));
  }
}

void CheckOrdering(const core::ConsumerOptions& options, const std::string& path, Reader& reader) {
  const std::string key = path + ".key";
  if (options.ordering == core::Ordering::kNone) {
    if (reader.Given(key)) reader.ComplainAt(key, "only for 'ordering: key' or 'exclusive'; remove it, or set one");
    return;
  }
  const bool in_subject = reader.Given(key + ".subject_token");
  const bool in_header = reader.Given(key + ".header");
  if (in_subject && in_header) {
    reader.ComplainAt(key + ".header", "there is also 'subject_token'; keep one of them");
  } else if (!in_subject && !in_header && (options.ordering == core::Ordering::kKey || reader.Given(key))) {
    reader.ComplainAt(reader.Given(key) ? key : path + ".ordering",
                      "a key stands somewhere; add 'key: {subject_token: N}' or 'key: {header: Name}'");
  }
}

void CheckExclusive(const core::ConsumerOptions& options, const std::string& path, Reader& reader) {
  const std::string exclusive = path + ".exclusive";
  if (options.ordering != core::Ordering::kExclusive) {
    // The defaults may stand there: 'config print' writes them.
    const core::ConsumerOptions defaults;
    const bool is_set =
        options.priority_group != defaults.priority_group || options.priority_timeout != defaults.priority_timeout;
    if (is_set) reader.ComplainAt(exclusive, "only for 'ordering: exclusive'; remove it, or set that");
    return;
  }
  if (2 * options.pull_expires <= options.priority_timeout) return;
  const std::string timeout = exclusive + ".priority_timeout";
  reader.ComplainAt(reader.Given(timeout) ? timeout : path + ".pull.expires",
                    absl::StrCat("a pull of ", absl::FormatDuration(options.pull_expires),
                                 " must be renewed well within priority_timeout, which is ",
                                 absl::FormatDuration(options.priority_timeout),
                                 "; raise that to twice pull.expires, or shorten the pull"));
}

void CheckAckPolicy(const core::ConsumerOptions& options, const std::string& path, Reader& reader) {
  if (options.ack_all && options.ordering != core::Ordering::kExclusive) {
    reader.ComplainAt(
        path + ".config.ack_policy", kAckAllNeedsExclusive,
        absl::StrCat("is all, with ordering: ", options.ordering == core::Ordering::kKey ? "key" : "none"));
  }
  if (options.coalesce_acks && !options.ack_all) {
    reader.ComplainAt(path + ".coalesce_acks", kCoalesceNeedsAckAll, "is true, with ack_policy explicit");
  }
  if (options.max_unacked != core::ConsumerOptions().max_unacked && !options.ack_all) {
    reader.ComplainAt(path + ".max_unacked", "only for 'config.ack_policy: all'; remove it, or set that");
  }
}

void CheckRedelivery(const core::RedeliveryPolicy& policy, const std::string& path, Reader& reader) {
  if (!policy.backoff.empty() && policy.initial.has_value()) {
    reader.ComplainAt(path + ".initial", "there is also 'backoff'; keep one of them");
  }
  const std::pair<const char*, bool> parts[] = {
      {".factor", policy.factor.has_value()}, {".max", policy.max.has_value()}, {".jitter", policy.jitter.has_value()}};
  for (const auto& [name, given] : parts) {
    if (given && !policy.initial.has_value()) reader.ComplainAt(path + name, "it grows from 'initial'; add that");
  }
  const absl::Duration max = policy.max.value_or(core::RedeliveryPolicy::kMax);
  if (policy.initial.has_value() && *policy.initial > max) {
    reader.ComplainAt(path + ".initial", absl::StrCat("longer than 'max', which is ", absl::FormatDuration(max),
                                                      "; shorten it, or raise 'max'"));
  }
}

void CheckDeadLetter(const Consumer& consumer, const std::string& path, Reader& reader) {
  const core::DeadLetterPolicy& policy = consumer.options.dead_letter;
  if (!policy.enabled()) {
    const bool says_something = policy.on_term || policy.max_deliveries > 0 || !reader.Given(path + ".on_term");
    if (reader.Given(path) && !reader.Given(path + ".subject") && says_something)
      reader.ComplainAt(path, "a dead letter goes somewhere; add 'subject:', or remove it all");
    return;
  }
  for (const std::string& filter : consumer.config.filter_subjects) {
    if (!core::SubjectMatches(filter, policy.subject)) continue;
    reader.ComplainAt(
        path + ".subject", kDeadLetterLoop,
        absl::StrCat("is ", Quoted(policy.subject), ", which the consumer's filter ", Quoted(filter), " lets through"));
    break;
  }
  const uint64_t max_attempts = consumer.options.redelivery.max_attempts;
  if (policy.max_deliveries > 0 && policy.max_deliveries <= max_attempts) {
    reader.ComplainAt(path + ".max_deliveries",
                      absl::StrCat("not above 'redelivery.max_attempts', which is ", max_attempts,
                                   ", so that a message would be set aside before its last attempt; raise it: releases "
                                   "by drains count as deliveries"));
  }
}

void CheckConsumer(const Consumer& consumer, const std::string& path, Reader& reader) {
  const core::ConsumerOptions& options = consumer.options;
  if (2 * options.pull_heartbeat > options.pull_expires) {
    reader.ComplainAt(path + ".pull.heartbeat",
                      absl::StrCat("the server refuses more than half of 'expires'; use at most ",
                                   absl::FormatDuration(options.pull_expires / 2)));
  }
  if (consumer.manage == core::Manage::kOff && reader.Given(path + ".config")) {
    reader.ComplainAt(path + ".config",
                      "with 'manage: off' nothing would look at it; remove it, or use 'manage: verify'");
  }
  CheckOrdering(options, path, reader);
  CheckExclusive(options, path, reader);
  CheckAckPolicy(options, path, reader);
  CheckRedelivery(options.redelivery, path + ".redelivery", reader);
  CheckDeadLetter(consumer, path + ".dead_letter", reader);
  CheckDurable(consumer.config, path + ".config", reader);
}

// Apps ask by name, and two consumers on one durable would take each other's share.
void CheckUnique(const std::vector<Consumer>& consumers, Reader& reader) {
  std::map<std::string, size_t> names;
  std::map<std::pair<std::string, std::string>, size_t> durables;
  for (size_t i = 0; i < consumers.size(); ++i) {
    const core::ConsumerOptions& options = consumers[i].options;
    const std::string path = absl::StrCat("consumers[", i, "]");
    if (const auto [first, is_new] = names.emplace(options.name, i); !is_new && !options.name.empty()) {
      reader.ComplainAt(path + ".name", absl::StrCat("'", options.name, "' is the name of consumers[", first->second,
                                                     "] already; choose another"));
      continue;
    }
    if (const auto [first, is_new] = durables.emplace(std::make_pair(options.stream, options.durable), i);
        !is_new && !options.durable.empty()) {
      reader.ComplainAt(path + ".durable", kDurableTwice,
                        absl::StrCat("is ", Quoted(options.durable), " of stream ", Quoted(options.stream),
                                     ", as that of consumers[", first->second, "]"));
    }
  }
}

}  // namespace

void Check(const Config& config, Reader& reader) {
  CheckNats(config.nats, reader);
  if (config.listen.unix_socket.empty() && config.listen.tcp.empty()) {
    reader.ComplainAt("listen.unix", "there is nothing to listen on; give a 'unix' path or a 'tcp' address");
  }
  if (config.consumers.empty() && reader.Given("consumers")) {
    reader.ComplainAt("consumers", "the list is empty; add at least one, with a name and a stream");
  }
  for (size_t i = 0; i < config.consumers.size(); ++i) {
    CheckConsumer(config.consumers[i], absl::StrCat("consumers[", i, "]"), reader);
  }
  CheckUnique(config.consumers, reader);
}

}  // namespace sluice::config
