#include "app/process.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "app/connection_options.h"
#include "base/log.h"
#include "jetstream/dead_letters.h"
#include "jetstream/source.h"
#include "token/key_file.h"

namespace sluice::app {
namespace {

admin::ServerOptions ToServerOptions(const config::Admin& config) {
  const admin::Readiness readiness[] = {admin::Readiness::kProcess, admin::Readiness::kNats,
                                        admin::Readiness::kConsumers};
  return {config.listen, readiness[static_cast<int>(config.readiness)], config.quit, config.liveness_timeout};
}

}  // namespace

Process::~Process() {
  admin_ = nullptr;   // needs the others
  server_ = nullptr;  // needs the loop
  if (thread_.joinable()) {
    loop_.Stop();
    thread_.join();
  }
  daemon_ = nullptr;
}

absl::Status Process::Start() {
  daemon_ = std::make_unique<core::Daemon>(&loop_.timers());
  // First, so that NATS is left alone if an address is taken. What apps ask for waits until the loop runs.
  auto server = rpc::Server::Start({.unix_socket = config_.listen.unix_socket,
                                    .tcp = config_.listen.tcp,
                                    .reflection = config_.listen.reflection,
                                    .version = SLUICE_VERSION,
                                    .drain_timeout = config_.drain.timeout,
                                    .nats_status = [this] { return NatsStatus(); }},
                                   &loop_, daemon_.get());
  if (!server.ok()) return server.status();
  server_ = *std::move(server);

  absl::Status connected = StartAdmin();
  if (connected.ok()) connected = MakeTokens();
  if (connected.ok()) connected = Connect();
  thread_ = std::thread([this] { loop_.Run(); });  // in any case: the server cannot end without
  if (!connected.ok()) return connected;
  server_->SetServing(true);
  if (admin_ != nullptr) admin_->SetStarted();
  base::LogInfo("serving", {{"version", SLUICE_VERSION},
                            {"unix", config_.listen.unix_socket},
                            {"tcp", config_.listen.tcp},
                            {"tcp_port", server_->tcp_port()},
                            {"admin", config_.admin.listen},
                            {"admin_port", admin_ == nullptr ? 0 : admin_->port()},
                            {"consumers", config_.consumers.size()}});
  // Whoever asks for health stops sending apps here from the first moment of the drain.
  loop_.Post([this] {
    daemon_->WhenDraining([this] {
      mark_->Remove();
      connection_->StayWhileUp();
      server_->SetServing(false);
    });
  });
  return absl::OkStatus();
}

absl::Status Process::StartAdmin() {
  if (config_.admin.listen.empty()) return absl::OkStatus();
  self_call_ = std::make_unique<rpc::SelfCall>(server_->addresses());
  admin::Facts facts;
  facts.version = SLUICE_VERSION;
  facts.nats = [this] {
    const rpc::NatsStatus nats = NatsStatus();
    return admin::NatsFacts{nats.connected, nats.url, nats.reconnects, nats.last_error};
  };
  facts.reload = [this] { return reloads_->Get(); };
  facts.dial = [this](absl::Duration patience) { return self_call_->Try(patience); };
  facts.cancel_dial = [this] { self_call_->Cancel(); };
  facts.quit = quit_;
  auto admin = admin::Server::Start(ToServerOptions(config_.admin), std::move(facts), &loop_, daemon_.get());
  if (!admin.ok()) return absl::Status(admin.status().code(), absl::StrCat("admin.listen: ", admin.status().message()));
  admin_ = *std::move(admin);
  return absl::OkStatus();
}

// Behind the server's lock on the socket: one daemon at a time.
absl::Status Process::MakeTokens() {
  const config::Listen& listen = config_.listen;
  std::string path = listen.token_key_file;
  if (path.empty() && !listen.unix_socket.empty()) path = absl::StrCat(listen.unix_socket, ".key");
  if (path.empty()) {
    base::LogInfo(
        "tokens end with this daemon: with no Unix socket, give listen.token_key_file to let apps resume "
        "after a crash");
  }
  const absl::StatusOr<std::string> key = path.empty() ? token::RandomKey() : token::LoadOrMakeKey(path);
  if (!key.ok()) return key.status();
  const uint64_t instance = token::RandomInstance();
  mark_ = std::make_unique<token::ServingMark>(path.empty() ? "" : absl::StrCat(path, ".serving"), instance);
  tokens_ = std::make_unique<token::SealedTokenCodec>(*key, instance, mark_->crashed());
  daemon_->SetTokens(tokens_.get());
  return absl::OkStatus();
}

absl::Status Process::Connect() {
  auto connection = jetstream::Connection::Connect(ToConnectionOptions(config_.nats), &loop_);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  AddConsumers();
  return absl::OkStatus();
}

void Process::AddConsumers() {
  std::random_device random;
  for (const config::Consumer& consumer : config_.consumers) {
    core::ConsumerOptions options = consumer.options;
    options.seed = random();
    std::unique_ptr<core::DeadLetterSink> dead_letters;
    if (options.dead_letter.enabled()) {
      dead_letters =
          std::make_unique<jetstream::JetStreamDeadLetters>(connection_.get(), &loop_, options.stream, options.durable);
    }
    const bool exclusive = options.ordering == core::Ordering::kExclusive;
    daemon_->AddConsumer(
        options,
        std::make_unique<jetstream::JetStreamSource>(
            connection_.get(), &loop_,
            jetstream::JetStreamSource::Options{.stream = options.stream,
                                                .durable = options.durable,
                                                .manage = consumer.manage,
                                                .config = consumer.config,
                                                .priority_group = exclusive ? options.priority_group : ""}),
        std::move(dead_letters));
  }
}

rpc::NatsStatus Process::NatsStatus() const {
  if (connection_ == nullptr) return {};  // it failed, and the process is about to end
  const jetstream::ConnectionStatus status = connection_->status();
  return {status.connected, status.url, status.server_version, status.reconnects, status.last_error};
}

void Process::Terminate(DrainedCallback drained) {
  loop_.Post([this, drained = std::move(drained)]() mutable {
    daemon_->Terminate(config_.drain.timeout, std::move(drained));
  });
}

void Process::LogIn(const config::Nats& nats, jetstream::Connection::ReplaceCallback news) {
  loop_.Post([this, options = ToConnectionOptions(nats), news = std::move(news)]() mutable {
    connection_->Replace(std::move(options), std::move(news));
  });
}

absl::Status Process::Close() {
  admin_ = nullptr;
  server_->Shutdown();
  absl::Status status;
  RunOnLoop([&] { status = connection_->Close(); }, absl::InfiniteDuration());
  return status;
}

std::string Process::Leftovers() {
  const auto text = std::make_shared<std::string>();
  const auto describe = [this, text] {
    for (const auto& consumer : daemon_->consumers()) {
      const core::Consumer::Gauges gauges = consumer->gauges();
      if (gauges.in_flight + gauges.buffered == 0) continue;
      absl::StrAppend(text.get(), text->empty() ? "" : "; ", consumer->options().name, ": ", gauges.in_flight,
                      " with apps, ", gauges.buffered, " buffered");
    }
  };
  return RunOnLoop(describe, absl::Seconds(1)) ? *text : "";
}

bool Process::RunOnLoop(absl::AnyInvocable<void()> task, absl::Duration patience) {
  // Shared, as the task may run after the wait.
  const auto done = std::make_shared<absl::Notification>();
  loop_.Post([task = std::move(task), done]() mutable {
    task();
    done->Notify();
  });
  return done->WaitForNotificationWithTimeout(patience);
}

}  // namespace sluice::app
