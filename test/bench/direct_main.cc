// bench_direct URL STREAM COUNT: an app on cnats alone. It consumes as the daemon does (an explicit durable, one pull
// of 256 open at a time, an ack for each message) and says how long COUNT messages took. What the daemon costs is what
// lies between the two.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include <nats/nats.h>

#include "test/bench/measure.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kBatch = 256;                 // ConsumerOptions::pull_batch
constexpr const char* kMaxAckPending = "20000";  // as bench.py configures the daemon's

void Require(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "bench_direct: %s: %s\n", what, natsStatus_GetText(status));
  std::exit(70);
}

// Called by the one thread on which cnats delivers, but for Start().
class App {
 public:
  App(natsConnection* connection, const std::string& stream, uint64_t count)
      : connection_(connection), stream_(stream), count_(count) {}

  void CreateDurable() {
    const std::string config = "{\"stream_name\":\"" + stream_ +
                               "\",\"config\":{\"durable_name\":\"direct\",\"ack_policy\":\"explicit\","
                               "\"deliver_policy\":\"all\",\"max_ack_pending\":" +
                               kMaxAckPending + "}}";
    natsMsg* reply = nullptr;
    const std::string subject = "$JS.API.CONSUMER.DURABLE.CREATE." + stream_ + ".direct";
    Require(natsConnection_RequestString(&reply, connection_, subject.c_str(), config.c_str(), 5000), "the durable");
    const std::string answer(natsMsg_GetData(reply), natsMsg_GetDataLength(reply));
    natsMsg_Destroy(reply);
    if (answer.find("\"error\"") == std::string::npos) return;
    std::fprintf(stderr, "bench_direct: the durable: %s\n", answer.c_str());
    std::exit(70);
  }

  double Run() {
    Require(natsConnection_Subscribe(&subscription_, connection_, kInbox, &App::OnMessage, this), "subscribe");
    Require(natsSubscription_SetPendingLimits(subscription_, -1, -1), "subscribe");
    Pull();
    done_.get_future().wait();
    return std::chrono::duration<double>(last_ - first_).count();
  }

 private:
  static constexpr const char* kInbox = "_INBOX.bench.direct";

  static void OnMessage(natsConnection*, natsSubscription*, natsMsg* message, void* self) {
    static_cast<App*>(self)->Handle(message);
    natsMsg_Destroy(message);
  }

  void Handle(natsMsg* message) {
    const char* reply = natsMsg_GetReply(message);
    if (reply == nullptr || *reply == '\0') return Pull();  // a status: the pull has ended
    if (handled_++ == 0) first_ = Clock::now();
    Require(natsConnection_PublishString(connection_, reply, "+ACK"), "ack");
    if (++of_pull_ == kBatch) Pull();
    if (handled_ == count_) {
      last_ = Clock::now();
      done_.set_value();
    }
  }

  void Pull() {
    if (handled_ >= count_) return;
    of_pull_ = 0;
    const std::string subject = "$JS.API.CONSUMER.MSG.NEXT." + stream_ + ".direct";
    Require(natsConnection_PublishRequestString(connection_, subject.c_str(), kInbox,
                                                "{\"batch\":256,\"expires\":1000000000}"),
            "pull");
  }

  natsConnection* const connection_;
  const std::string stream_;
  const uint64_t count_;
  natsSubscription* subscription_ = nullptr;  // until the connection goes
  uint64_t handled_ = 0;
  uint64_t of_pull_ = 0;
  Clock::time_point first_;
  Clock::time_point last_;
  std::promise<void> done_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_direct URL STREAM COUNT\n");
    return 78;
  }
  natsConnection* connection = nullptr;
  Require(natsConnection_ConnectTo(&connection, argv[1]), "connect");
  const uint64_t count = std::strtoull(argv[3], nullptr, 10);
  App app(connection, argv[2], count);
  app.CreateDurable();
  const double seconds = app.Run();
  std::printf("{\"messages\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", count, seconds,
              sluice::bench::CpuSeconds());
  std::fflush(stdout);
  natsConnection_Destroy(connection);
  nats_Close();
}
