#pragma once

#include <cctype>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "jetstream/connection.h"
#include "jetstream/server_version.h"
#include "jetstream/source.h"
#include "test/support/loop_thread.h"
#include "test/support/nats_admin.h"
#include "test/support/nats_server.h"

// What the tests of this folder against real servers share. Only tests include it.
namespace sluice::jetstream {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// Waits until `condition` holds, which is asked again and again.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

inline std::string ParamName(const testing::TestParamInfo<std::string>& info) {
  std::string name = absl::StrCat("v", test::NatsServerVersion(info.param));
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

// One test, one server of the version that is the parameter, one loop, one connection.
class ServerTest : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override {
    if (connection_ != nullptr) loop_.Run([this] { connection_.reset(); });
  }

  // False, with the test failed, if it does not start.
  bool StartServer(const std::string& config = "") {
    test::NatsServer::Options options;
    options.binary = GetParam();
    options.config = config;
    auto server = test::NatsServer::Start(options);
    EXPECT_TRUE(server.ok()) << server.status();
    if (server.ok()) server_ = *std::move(server);
    return server_ != nullptr;
  }
  bool StartAdmin(test::JetStreamAdmin::Credentials credentials = {}) {
    auto admin = test::JetStreamAdmin::Connect(server_->url(), std::move(credentials));
    EXPECT_TRUE(admin.ok()) << admin.status();
    if (admin.ok()) admin_ = *std::move(admin);
    return admin_ != nullptr;
  }
  void Connect(ConnectionOptions options) {
    loop_.Run([&] {
      auto connection = Connection::Connect(std::move(options), loop_.loop());
      ASSERT_TRUE(connection.ok()) << connection.status();
      connection_ = *std::move(connection);
    });
  }
  void Connect() { Connect(Options()); }
  ConnectionOptions Options() const {
    ConnectionOptions options;
    options.servers = {server_->url()};
    options.reconnect_wait = absl::Milliseconds(100);
    return options;
  }
  ConnectionStatus Status() {
    return loop_.Run([this] { return connection_->status(); });
  }
  bool AwaitConnected() {
    return Eventually([this] { return Status().connected; });
  }
  bool VersionAtLeast(int minor, int patch = 0) const {
    return jetstream::VersionAtLeast(test::NatsServerVersion(GetParam()), 2, minor, patch);
  }

  std::unique_ptr<test::NatsServer> server_;
  std::unique_ptr<test::JetStreamAdmin> admin_;
  test::LoopThread loop_;
  std::unique_ptr<Connection> connection_;
};

// Keeps what a source tells. The messages stay, so that tests settle them when they like. Any thread may ask.
class Recorder final : public core::MessageSource::Listener {
 public:
  void OnMessages(absl::Span<core::Message> batch) override {
    absl::MutexLock lock(&mutex_);
    for (core::Message& message : batch) {
      messages_.push_back(std::move(message));
      events_.push_back("message");
    }
  }
  void OnPullStatus(const core::PullStatus& status) override {
    absl::MutexLock lock(&mutex_);
    if (status.kind == core::PullStatus::Kind::kHeartbeat) {
      ++heartbeats_;
      return;
    }
    statuses_.push_back(status);
    events_.push_back(absl::StrCat("status ", status.pull_id));
  }
  void OnAttached(const absl::StatusOr<core::ConsumerInfo>& info) override {
    absl::MutexLock lock(&mutex_);
    attached_.push_back(info);
  }
  void OnInfo(const absl::StatusOr<core::ConsumerInfo>& info) override {
    absl::MutexLock lock(&mutex_);
    infos_.push_back(info);
  }
  void OnConfirmed(uint64_t tag, const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    confirmed_.emplace_back(tag, status);
  }
  void OnIntakeClosed() override {
    absl::MutexLock lock(&mutex_);
    events_.push_back("closed");
    ++closed_;
  }
  void OnUnpinned(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    unpinned_.push_back(status);
  }
  void OnConnection(bool connected) override {
    absl::MutexLock lock(&mutex_);
    connections_.push_back(connected);
  }

  // False if the condition, which reads the fields, does not come true in time.
  template <typename Condition>
  bool Await(Condition condition, absl::Duration patience = kPatience) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&condition), patience);
  }
  bool AwaitMessages(size_t count, absl::Duration patience = kPatience) {
    return Await([this, count] { return messages_.size() >= count; }, patience);
  }
  bool AwaitStatuses(size_t count) {
    return Await([this, count] { return statuses_.size() >= count; });
  }
  bool AwaitConnections(size_t count) {
    return Await([this, count] { return connections_.size() >= count; });
  }
  bool AwaitConfirmed(size_t count) {
    return Await([this, count] { return confirmed_.size() >= count; });
  }

  absl::Mutex mutex_;
  std::deque<core::Message> messages_;
  std::vector<core::PullStatus> statuses_;
  std::vector<std::string> events_;  // messages, ends of pulls and the end, in their order
  std::vector<absl::StatusOr<core::ConsumerInfo>> attached_;
  std::vector<absl::StatusOr<core::ConsumerInfo>> infos_;
  std::vector<std::pair<uint64_t, absl::Status>> confirmed_;
  std::vector<absl::Status> unpinned_;
  std::vector<bool> connections_;
  int heartbeats_ = 0;
  int closed_ = 0;
};

// A source on the server's stream S, with the subjects s.>, and its durable "worker".
class SourceTest : public ServerTest {
 protected:
  bool StartAll() {
    if (!StartServer() || !StartAdmin()) return false;
    const absl::Status created = admin_->CreateStream("S", {"s.>"});
    EXPECT_TRUE(created.ok()) << created;
    Connect();
    MakeSource({});
    EXPECT_TRUE(recorder_.AwaitConnections(1));
    return created.ok();
  }
  void MakeSource(core::DurableConfig config, core::Manage manage = core::Manage::kEnsure,
                  const std::string& stream = "S") {
    loop_.Run([&] {
      source_ = std::make_unique<JetStreamSource>(
          connection_.get(), loop_.loop(), JetStreamSource::Options{stream, "worker", manage, std::move(config)});
      source_->Start(&recorder_);
    });
  }
  void TearDown() override {
    if (source_ != nullptr) loop_.Run([this] { source_.reset(); });
    ServerTest::TearDown();
  }

  absl::StatusOr<core::ConsumerInfo> Attach() {
    const size_t before = recorder_.attached_.size();
    loop_.Run([this] { source_->Attach(); });
    if (!recorder_.Await([&] { return recorder_.attached_.size() > before; })) return absl::InternalError("no end");
    return recorder_.attached_.back();
  }
  absl::StatusOr<core::ConsumerInfo> Info() {
    const size_t before = recorder_.infos_.size();
    loop_.Run([this] { source_->RequestInfo(); });
    if (!recorder_.Await([&] { return recorder_.infos_.size() > before; })) return absl::InternalError("no end");
    return recorder_.infos_.back();
  }
  void Pull(uint64_t id, uint32_t batch, absl::Duration expires = absl::Seconds(10), uint64_t max_bytes = 0,
            absl::Duration heartbeat = absl::ZeroDuration()) {
    loop_.Run([&] { source_->Pull({id, batch, max_bytes, expires, heartbeat}); });
  }
  void Settle(const core::Message& message, const core::Settlement& settlement) {
    loop_.Run([&] { source_->Settle(message.reply, settlement); });
  }
  void Confirm(const core::Message& message, const core::Settlement& settlement, uint64_t tag) {
    loop_.Run([&] { source_->Confirm(message.reply, settlement, tag); });
  }
  void Publish(int count, int first = 1) {
    const absl::Status published = admin_->PublishNumbers("s.a", count, first);
    ASSERT_TRUE(published.ok()) << published;
  }
  // Of the durable, on the server; -1 if it does not say.
  int64_t Told(const char* field) {
    const auto info = admin_->ConsumerInfo("S", "worker");
    return info.ok() ? info->value(field, int64_t{-1}) : -1;
  }

  Recorder recorder_;
  std::unique_ptr<JetStreamSource> source_;
};

}  // namespace sluice::jetstream
