#include "test/integration/fixture.h"

#include <utility>

namespace sluice::integration {
namespace {

constexpr size_t kShownLog = 8000;

std::string Tail(const std::string& text) {
  return text.size() <= kShownLog ? text : text.substr(text.size() - kShownLog);
}

}  // namespace

void IntegrationTest::TearDown() {
  load_.reset();
  if (HasFailure()) {
    std::cout << "--- daemon\n"
              << Tail(ReadFile(dir_ / "daemon.log")) << "--- apps\n"
              << Tail(ReadFile(dir_ / "app.log"));
    if (server_ != nullptr) std::cout << "--- nats-server\n" << Tail(server_->log());
  }
  apps_.clear();
  daemon_.reset();
}

bool IntegrationTest::StartServer(const nlohmann::json& stream) {
  auto server = test::NatsServer::Start({.binary = GetParam()});
  EXPECT_TRUE(server.ok()) << server.status();
  if (!server.ok()) return false;
  server_ = *std::move(server);
  options_.nats_url = server_->url();
  if (!ConnectAdmin()) return false;
  const absl::Status created = admin_->CreateStream(kStream, {"s.>"}, stream);
  EXPECT_TRUE(created.ok()) << created;
  return created.ok();
}

bool IntegrationTest::ConnectAdmin() {
  auto admin = test::JetStreamAdmin::Connect(options_.nats_url);
  EXPECT_TRUE(admin.ok()) << admin.status();
  if (admin.ok()) admin_ = *std::move(admin);
  return admin.ok();
}

bool IntegrationTest::StartDaemon() {
  const absl::Time gone = daemon_ == nullptr ? absl::InfiniteFuture() : daemon_->signalled();
  daemon_ = std::make_unique<DaemonProcess>(dir_.path(), options_);
  const absl::Status serving = daemon_->AwaitServing();
  EXPECT_TRUE(serving.ok()) << serving;
  absences_.push_back({gone, absl::Now()});
  return serving.ok();
}

AppProcess& IntegrationTest::StartApp(const AppOptions& options) {
  apps_.push_back(std::make_unique<AppProcess>(dir_.path(), "unix:" + SocketPath(dir_.path()), kDurable, options));
  return *apps_.back();
}

bool IntegrationTest::AwaitHandled(uint64_t more) { return AwaitHandledInAll(HandledSoFar() + more); }

bool IntegrationTest::AwaitHandledInAll(uint64_t goal) {
  const bool reached = Eventually([&] { return HandledSoFar() >= goal; });
  EXPECT_TRUE(reached) << HandledSoFar() << " are handled, not " << goal;
  return reached;
}

Account IntegrationTest::SettleUp(const std::vector<Excuse>& excuses) {
  const uint64_t published = load_->Stop();
  EXPECT_GT(published, 0u) << "not all was confirmed";
  const auto stream = admin_->StreamInfo(kStream);
  EXPECT_TRUE(stream.ok()) << stream.status();
  if (stream.ok()) {
    EXPECT_EQ((*stream)["state"]["last_seq"], published) << "the stream is not what was published";
  }
  Eventually([&] { return AllHandled(published, handled_.Read()); });
  EXPECT_TRUE(Eventually([&] { return Told("num_ack_pending") == 0; }))
      << Told("num_ack_pending") << " wait for an ack";
  return Balance(published, handled_.Read(), options_.ack_wait, excuses, absences_);
}

int64_t IntegrationTest::Told(const char* field) {
  const auto info = admin_->ConsumerInfo(kStream, kDurable);
  return info.ok() ? info->value(field, int64_t{-1}) : -1;
}

}  // namespace sluice::integration
