#include "jetstream/connection.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jetstream/server_fixture.h"

namespace sluice::jetstream {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ConnectionTest : public ServerTest {
 protected:
  // The answer to a request, as text: the data or the kind of the error.
  std::string Ask(const std::string& subject, absl::Duration timeout = absl::Seconds(2)) {
    std::string answer;
    absl::Notification done;
    loop_.loop()->Post([&] {
      connection_->Request(nullptr, subject.c_str(), "", timeout, [&](const absl::StatusOr<absl::string_view>& reply) {
        answer = reply.ok() ? std::string(*reply) : absl::StatusCodeToString(reply.status().code());
        done.Notify();
      });
    });
    return done.WaitForNotificationWithTimeout(kPatience) ? answer : "never ended";
  }
};

class Witness final : public Connection::Listener {
 public:
  void OnConnection(bool connected) override { told.push_back(connected); }
  std::vector<bool> told;  // loop only
};

TEST(NatsServersTest, ThereIsOneToTestAgainst) {
  EXPECT_FALSE(test::NatsServerBinaries().empty()) << "install nats-server, or set SLUICE_NATS_SERVERS";
}

TEST_P(ConnectionTest, TellsWhereItIsConnected) {
  ASSERT_TRUE(StartServer());
  Connect();
  ASSERT_TRUE(Eventually([this] { return !Status().server_version.empty(); }));
  const ConnectionStatus status = Status();
  EXPECT_TRUE(status.connected);
  EXPECT_EQ(status.url, server_->url());
  EXPECT_EQ(status.server_version, test::NatsServerVersion(GetParam()));
  EXPECT_EQ(status.reconnects, 0u);
  EXPECT_EQ(status.last_error, "");
  EXPECT_EQ(loop_.Run([this] { return connection_->refuses_term_reason(); }), !VersionAtLeast(10, 4));
}

TEST_P(ConnectionTest, AnswersTimeoutsAndNobodyThereEndARequest) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartAdmin());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  EXPECT_THAT(Ask("$JS.API.INFO"), HasSubstr("account_info_response"));
  EXPECT_EQ(Ask("nobody.serves.this"), "UNAVAILABLE");
  server_->Pause(true);
  EXPECT_EQ(Ask("$JS.API.INFO", absl::Milliseconds(100)), "DEADLINE_EXCEEDED");
  server_->Pause(false);
  EXPECT_THAT(Ask("$JS.API.INFO"), HasSubstr("account_info_response"));
}

TEST_P(ConnectionTest, ManyRequestsAreUnderWayAtOnce) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartAdmin());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  constexpr int kCount = 2000;
  std::atomic<int> answered = 0;
  loop_.Run([&] {
    for (int i = 0; i < kCount; ++i) {
      connection_->Request(nullptr, "$JS.API.INFO", "", absl::Seconds(20),
                           [&](const absl::StatusOr<absl::string_view>& reply) { answered += reply.ok(); });
    }
  });
  EXPECT_TRUE(Eventually([&] { return answered == kCount; })) << answered;
}

TEST_P(ConnectionTest, IsThereAtOnceWithoutNatsAndConnectsWhenNatsComes) {
  const int port = test::FreePort();
  ConnectionOptions options;
  options.servers = {absl::StrCat("nats://127.0.0.1:", port)};
  options.reconnect_wait = absl::Milliseconds(100);
  Connect(options);
  EXPECT_FALSE(Status().connected);
  EXPECT_EQ(Ask("$JS.API.INFO"), "UNAVAILABLE");
  EXPECT_TRUE(Eventually([this] { return !Status().last_error.empty(); }));

  auto server = test::NatsServer::Start({GetParam(), "", port});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(AwaitConnected()) << Status().last_error;
  EXPECT_EQ(Status().last_error, "");
  EXPECT_EQ(Status().reconnects, 0u) << "it was the first time";
}

TEST_P(ConnectionTest, ComesBackAfterEachRestart) {
  ASSERT_TRUE(StartServer());
  Witness witness;
  Connect();
  loop_.Run([&] { connection_->AddListener(&witness); });
  ASSERT_TRUE(AwaitConnected());
  for (uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(server_->Restart().ok());
    ASSERT_TRUE(Eventually([&] { return Status().reconnects == i && Status().connected; }));
  }
  const std::vector<bool> told = loop_.Run([&] {
    connection_->RemoveListener(&witness);
    return witness.told;
  });
  EXPECT_THAT(told, ElementsAre(true, false, true, false, true, false, true));
}

TEST_P(ConnectionTest, RequestsEndWhenTheConnectionGoes) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartAdmin());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  server_->Pause(true);
  absl::Notification done;
  absl::Status status;
  loop_.Run([&] {
    connection_->Request(nullptr, "$JS.API.INFO", "", absl::Seconds(60),
                         [&](const absl::StatusOr<absl::string_view>& reply) {
                           status = reply.status();
                           done.Notify();
                         });
  });
  server_->Kill();
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

TEST_P(ConnectionTest, UserAndPassword) {
  ASSERT_TRUE(StartServer("authorization { user: app, password: \"s3cret\" }"));
  ConnectionOptions options = Options();
  options.user = "app";
  options.password = "s3cret";
  Connect(options);
  EXPECT_TRUE(AwaitConnected());
}

TEST_P(ConnectionTest, AToken) {
  ASSERT_TRUE(StartServer("authorization { token: \"t0ken\" }"));
  ConnectionOptions options = Options();
  options.token = "t0ken";
  Connect(options);
  EXPECT_TRUE(AwaitConnected());
}

TEST_P(ConnectionTest, AnNKeySeed) {
  ASSERT_TRUE(
      StartServer("authorization { users: [ { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 } ] }"));
  ConnectionOptions options = Options();
  options.nkey_seed_file = absl::StrCat(server_->dir(), "/seed");
  std::ofstream(options.nkey_seed_file) << "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n";
  Connect(options);
  EXPECT_TRUE(AwaitConnected()) << Status().last_error;
}

// cnats itself gives up after the second refusal.
TEST_P(ConnectionTest, ARefusedPasswordIsToldAndTriedUntilItIsRight) {
  ASSERT_TRUE(StartServer("authorization { user: app, password: \"other\" }"));
  ConnectionOptions options = Options();
  options.user = "app";
  options.password = "s3cret";
  Connect(options);
  ASSERT_TRUE(Eventually([this] { return !Status().last_error.empty(); }));
  EXPECT_THAT(Status().last_error, HasSubstr("Authorization"));
  EXPECT_THAT(Status().last_error, Not(HasSubstr("s3cret")));
  const int port = server_->port();
  server_.reset();
  auto server = test::NatsServer::Start({GetParam(), "authorization { user: app, password: \"s3cret\" }", port});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(AwaitConnected());
}

// A rotated secret: cnats closes the connection for good; a new one is dialled.
TEST_P(ConnectionTest, AnEstablishedConnectionThatIsRefusedIsDialledAnew) {
  ASSERT_TRUE(StartServer("authorization { user: app, password: \"s3cret\" }"));
  ConnectionOptions options = Options();
  options.user = "app";
  options.password = "s3cret";
  Connect(options);
  ASSERT_TRUE(AwaitConnected());
  const uint64_t generation = loop_.Run([this] { return connection_->generation(); });
  const int port = server_->port();
  server_.reset();
  auto refusing = test::NatsServer::Start({GetParam(), "authorization { user: app, password: \"other\" }", port});
  ASSERT_TRUE(refusing.ok()) << refusing.status();
  ASSERT_TRUE(Eventually([&] { return loop_.Run([this] { return connection_->generation(); }) > generation; }));
  refusing->reset();
  auto server = test::NatsServer::Start({GetParam(), "authorization { user: app, password: \"s3cret\" }", port});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(AwaitConnected());
  EXPECT_EQ(Status().reconnects, 1u);
}

TEST_P(ConnectionTest, CloseFlushesWhatWasPublished) {
  ASSERT_TRUE(StartServer());
  ASSERT_TRUE(StartAdmin());
  ASSERT_TRUE(admin_->CreateStream("S", {"s.>"}).ok());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  constexpr int kCount = 10'000;
  const absl::Status closed = loop_.Run([this] {
    for (int i = 0; i < kCount; ++i) connection_->Publish("s.a", "x").IgnoreError();
    return connection_->Close();
  });
  EXPECT_TRUE(closed.ok()) << closed;
  EXPECT_TRUE(Eventually([&] {
    const auto info = admin_->StreamInfo("S");
    return info.ok() && (*info)["state"]["messages"] == kCount;
  }));
}

TEST_P(ConnectionTest, CloseSaysIfTheServerDidNotHear) {
  ASSERT_TRUE(StartServer());
  Connect();
  ASSERT_TRUE(AwaitConnected());
  server_->Pause(true);
  const absl::Time start = absl::Now();
  const absl::Status closed = loop_.Run([this] { return connection_->Close(); });
  EXPECT_EQ(closed.code(), absl::StatusCode::kDeadlineExceeded) << closed;
  EXPECT_LT(absl::Now() - start, absl::Seconds(4));
}

class TlsTest : public ConnectionTest {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/sluice-tls-XXXXXX";
    dir_ = mkdtemp(name.data());
    const std::string script = absl::StrCat(
        "cd ", dir_, " && { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        " && openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        " && printf 'subjectAltName=DNS:localhost' > server.ext",
        " && openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2",
        "    -extfile server.ext -out server.pem; } > openssl.log 2>&1");
    ASSERT_EQ(std::system(script.c_str()), 0) << "openssl";
    ASSERT_TRUE(
        StartServer(absl::StrCat("tls { cert_file: \"", dir_, "/server.pem\", key_file: \"", dir_, "/server.key\" }")));
    options_ = Options();
    options_.servers = {absl::StrCat("tls://localhost:", server_->port())};
    options_.tls.enabled = true;
    options_.tls.ca_file = absl::StrCat(dir_, "/ca.pem");
  }
  void TearDown() override {
    ConnectionTest::TearDown();
    std::filesystem::remove_all(dir_);
  }

  std::string dir_;
  ConnectionOptions options_;
};

TEST_P(TlsTest, ConnectsAndTalks) {
  Connect(options_);
  ASSERT_TRUE(AwaitConnected()) << Status().last_error;
  EXPECT_TRUE(Eventually([this] { return Status().server_version == test::NatsServerVersion(GetParam()); }));
  EXPECT_TRUE(Eventually([this] { return Ask("$JS.API.INFO") != "UNAVAILABLE"; }));
}

// cnats 3.4 reads and writes TLS from two threads without a lock between them.
TEST_P(TlsTest, HoldsUnderLoadInBothDirections) {
  class Echo final : public Inbox::Sink {
   public:
    void OnMessage(NatsPtr<natsMsg>) override { ++messages; }
    void OnEnd() override {}
    std::atomic<int> messages = 0;
  };
  Connect(options_);
  ASSERT_TRUE(AwaitConnected()) << Status().last_error;
  const auto echo = std::make_shared<Echo>();
  constexpr int kRounds = 100;
  constexpr int kBatch = 1000;
  std::unique_ptr<Inbox> inbox = loop_.Run([&] { return connection_->OpenInbox(echo).value(); });
  const std::string subject = absl::StrCat(inbox->prefix(), "1");
  for (int i = 0; i < kRounds; ++i) {
    loop_.Run([&] {
      for (int n = 0; n < kBatch; ++n) connection_->Publish(subject.c_str(), std::string(100, 'x')).IgnoreError();
    });
  }
  EXPECT_TRUE(Eventually([&] { return echo->messages == kRounds * kBatch; })) << echo->messages;
  EXPECT_EQ(Status().reconnects, 0u);
}

TEST_P(TlsTest, RefusesAnotherName) {
  options_.tls.server_name = "elsewhere.example";
  Connect(options_);
  ASSERT_TRUE(Eventually([this] { return !Status().last_error.empty(); }));
  EXPECT_FALSE(Status().connected);
  EXPECT_THAT(Status().last_error, AnyOf(HasSubstr("ostname"), HasSubstr("certificate verify failed")));
}

TEST_P(TlsTest, RefusesTheWrongNameOfTheAddress) {
  options_.servers = {absl::StrCat("tls://127.0.0.1:", server_->port())};
  Connect(options_);
  ASSERT_TRUE(Eventually([this] { return !Status().last_error.empty(); }));
  EXPECT_FALSE(Status().connected);
}

TEST_P(TlsTest, RefusesAnUnknownCa) {
  options_.tls.ca_file = "";
  Connect(options_);
  ASSERT_TRUE(Eventually([this] { return !Status().last_error.empty(); }));
  EXPECT_FALSE(Status().connected);
}

TEST_P(TlsTest, TrustsAnybodyIfToldTo) {
  options_.tls.ca_file = "";
  options_.tls.insecure_skip_verify = true;
  Connect(options_);
  EXPECT_TRUE(AwaitConnected()) << Status().last_error;
}

// --- another login ---

class ReplaceTest : public ConnectionTest {
 protected:
  static constexpr char kBoth[] = "authorization { users: [ { user: old, password: a }, { user: new, password: b } ] }";
  static constexpr char kOld[] = "authorization { users: [ { user: old, password: a } ] }";
  static constexpr char kNew[] = "authorization { users: [ { user: new, password: b } ] }";

  ConnectionOptions As(const std::string& user, const std::string& password) {
    ConnectionOptions options = Options();
    options.user = user;
    options.password = password;
    return options;
  }
  bool StartAsOld(const std::string& config) {
    if (!StartServer(config)) return false;
    Connect(As("old", "a"));
    if (!AwaitConnected()) return false;
    loop_.Run([this] { connection_->AddListener(&witness_); });
    return Eventually([this] { return loop_.Run([this] { return witness_.told.size() == 1; }); });
  }
  void Replace(const ConnectionOptions& options) {
    loop_.Run([&] { connection_->Replace(options, [this](const absl::Status& status) { news_.push_back(status); }); });
  }
  size_t News() {
    return loop_.Run([this] { return news_.size(); });
  }
  void TearDown() override {
    if (connection_ != nullptr) loop_.Run([this] { connection_->RemoveListener(&witness_); });
    ConnectionTest::TearDown();
  }

  class ReplacedWitness final : public Connection::Listener {
   public:
    void OnConnection(bool connected) override { told.push_back(connected); }
    void OnReplaced() override { ++replaced; }
    std::vector<bool> told;  // loop only, as the next
    int replaced = 0;
  };
  ReplacedWitness witness_;
  std::vector<absl::Status> news_;  // loop only
};

TEST_P(ReplaceTest, MovesWithoutAGap) {
  ASSERT_TRUE(StartAsOld(kBoth));
  const uint64_t generation = loop_.Run([this] { return connection_->generation(); });
  Replace(As("new", "b"));
  ASSERT_TRUE(Eventually([this] { return News() == 1; }));
  loop_.Run([&] {
    EXPECT_EQ(news_, std::vector<absl::Status>{absl::OkStatus()});
    EXPECT_EQ(witness_.replaced, 1);
    EXPECT_EQ(witness_.told, std::vector<bool>{true});
    EXPECT_GT(connection_->generation(), generation);
  });
  EXPECT_TRUE(Status().connected);
  EXPECT_EQ(Status().reconnects, 0u);
  ASSERT_TRUE(server_->Reload(kNew).ok());
  EXPECT_THAT(Ask("$JS.API.INFO"), HasSubstr("account_info_response")) << "the old user is not in use any more";
  EXPECT_TRUE(Status().connected);
}

// What was asked on the connection before is answered there.
TEST_P(ReplaceTest, RequestsUnderWayAreAnswered) {
  class Slow final : public Inbox::Sink {
   public:
    void OnMessage(NatsPtr<natsMsg> msg) override {
      absl::MutexLock lock(&mutex);
      asked = std::move(msg);
    }
    void OnEnd() override {}
    bool Asked() {
      absl::MutexLock lock(&mutex);
      return asked != nullptr;
    }
    absl::Mutex mutex;
    NatsPtr<natsMsg> asked;
  };
  ASSERT_TRUE(StartAsOld(kBoth));
  const auto slow = std::make_shared<Slow>();
  const auto inbox = loop_.Run([&] { return connection_->OpenQueue("slow", "q", slow).value(); });
  absl::Notification answered;
  std::string answer;
  loop_.Run([&] {
    connection_->Request(nullptr, "slow", "", absl::Seconds(20), [&](const absl::StatusOr<absl::string_view>& reply) {
      answer = reply.ok() ? std::string(*reply) : std::string(reply.status().message());
      answered.Notify();
    });
  });
  ASSERT_TRUE(Eventually([&] { return slow->Asked(); }));
  Replace(As("new", "b"));
  ASSERT_TRUE(Eventually([this] { return News() == 1; }));
  loop_.Run([&] { connection_->Publish(natsMsg_GetReply(slow->asked.get()), "here").IgnoreError(); });
  ASSERT_TRUE(answered.WaitForNotificationWithTimeout(kPatience));
  EXPECT_EQ(answer, "here");
}

TEST_P(ReplaceTest, ALoginThatIsRefusedChangesNothingAndIsTriedOn) {
  ASSERT_TRUE(StartAsOld(kOld));
  Replace(As("new", "b"));
  ASSERT_TRUE(Eventually([this] { return News() == 1; }));
  loop_.Run([&] { EXPECT_TRUE(absl::IsUnavailable(news_[0])) << news_[0]; });
  EXPECT_TRUE(Status().connected);
  EXPECT_THAT(Ask("$JS.API.INFO"), HasSubstr("account_info_response"));
  ASSERT_TRUE(server_->Reload(kBoth).ok());
  ASSERT_TRUE(Eventually([this] { return News() == 2; })) << "it becomes valid later";
  loop_.Run([&] {
    EXPECT_EQ(news_[1], absl::OkStatus());
    EXPECT_EQ(witness_.told, std::vector<bool>{true});
  });
}

TEST_P(ReplaceTest, ALoginThatCannotBeUsedIsNotTried) {
  ASSERT_TRUE(StartAsOld(kBoth));
  ConnectionOptions options = Options();
  options.credentials_file = absl::StrCat(server_->dir(), "/none.creds");
  Replace(options);
  loop_.Run([&] {
    ASSERT_EQ(news_.size(), 1u);
    EXPECT_TRUE(absl::IsInvalidArgument(news_[0])) << news_[0];
  });
  EXPECT_TRUE(Status().connected);
}

// The server was told first, and has thrown the old user out.
TEST_P(ReplaceTest, HealsAConnectionThatIsRefused) {
  ASSERT_TRUE(StartAsOld(kBoth));
  ASSERT_TRUE(server_->Reload(kNew).ok());
  ASSERT_TRUE(Eventually([this] { return !Status().connected; }));
  Replace(As("new", "b"));
  EXPECT_TRUE(AwaitConnected()) << Status().last_error;
  loop_.Run([&] { EXPECT_EQ(witness_.told, (std::vector<bool>{true, false, true})); });
}

TEST_P(ReplaceTest, TheLastOneWins) {
  ASSERT_TRUE(StartAsOld(kBoth));
  // In one turn, so that there is no news of the first one before.
  loop_.Run([&] {
    for (const ConnectionOptions& options : {As("nobody", "x"), As("new", "b")}) {
      connection_->Replace(options, [this](const absl::Status& status) { news_.push_back(status); });
    }
  });
  ASSERT_TRUE(Eventually([this] { return News() > 0; }));
  loop_.Run([&] { EXPECT_THAT(news_, ElementsAre(absl::OkStatus())); });
  ASSERT_TRUE(server_->Reload(kNew).ok());
  EXPECT_THAT(Ask("$JS.API.INFO"), HasSubstr("account_info_response"));
}

INSTANTIATE_TEST_SUITE_P(All, ConnectionTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);
INSTANTIATE_TEST_SUITE_P(All, ReplaceTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);
INSTANTIATE_TEST_SUITE_P(All, TlsTest, testing::ValuesIn(test::NatsServerBinaries()), ParamName);

}  // namespace
}  // namespace sluice::jetstream
