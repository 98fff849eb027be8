// bench_direct URL STREAM COUNT [--latency]: an app on cnats alone. It consumes as the daemon does (an explicit
// durable, one pull of 256 open at a time and written at once, an ack for each message) and says how long COUNT
// messages took. What the daemon costs is what lies between the two.
#include <nats/nats.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include "jetstream/nats_private.h"
#include "test/bench/latency.h"
#include "test/bench/measure.h"

namespace {

using sluice::bench::Latencies;
using sluice::bench::Measured;

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
  // `latencies`: where each message is noted; null: nowhere.
  App(natsConnection* connection, const std::string& stream, uint64_t count, Latencies* latencies)
      : connection_(connection), stream_(stream), count_(count), latencies_(latencies) {}

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

  Measured Run() {
    Require(natsConnection_Subscribe(&subscription_, connection_, kInbox, &App::OnMessage, this), "subscribe");
    Require(natsSubscription_SetPendingLimits(subscription_, -1, -1), "subscribe");
    Pull();
    if (latencies_ != nullptr) sluice::bench::SayReady();
    return done_.get_future().get();
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
    if (latencies_ != nullptr) {
      latencies_->Note(std::string_view(natsMsg_GetData(message), natsMsg_GetDataLength(message)));
    }
    if (handled_++ == 0) stopwatch_.Start();
    Require(natsConnection_PublishString(connection_, reply, "+ACK"), "ack");
    if (++of_pull_ == kBatch) Pull();
    if (handled_ == count_) done_.set_value(stopwatch_.Stop(handled_));
  }

  void Pull() {
    if (handled_ >= count_) return;
    of_pull_ = 0;
    const std::string subject = "$JS.API.CONSUMER.MSG.NEXT." + stream_ + ".direct";
    Require(natsConnection_PublishRequestString(connection_, subject.c_str(), kInbox,
                                                "{\"batch\":256,\"expires\":1000000000}"),
            "pull");
    if (natsConn_bufferFlush == nullptr) return;
    natsConn_lockAndRetain(connection_);
    natsConn_bufferFlush(connection_);
    natsConn_unlockAndRelease(connection_);
  }

  natsConnection* const connection_;
  const std::string stream_;
  const uint64_t count_;
  natsSubscription* subscription_ = nullptr;  // until the connection goes
  uint64_t handled_ = 0;
  uint64_t of_pull_ = 0;
  Latencies* const latencies_;
  sluice::bench::Stopwatch stopwatch_;
  std::promise<Measured> done_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string url;
  std::string stream;
  uint64_t count = 0;
  bool latency = false;
  CLI::App cli("An app on cnats alone.");
  cli.add_option("URL", url)->required();
  cli.add_option("STREAM", stream)->required();
  cli.add_option("COUNT", count)->required();
  cli.add_flag("--latency", latency, "say ready, and print how long each message took since it was published");
  CLI11_PARSE(cli, argc, argv);

  natsConnection* connection = nullptr;
  Require(natsConnection_ConnectTo(&connection, url.c_str()), "connect");
  Latencies latencies;
  App app(connection, stream, count, latency ? &latencies : nullptr);
  app.CreateDurable();
  const Measured measured = app.Run();
  if (latency) {
    latencies.Print();
  } else {
    Print(measured);
  }
  natsConnection_Destroy(connection);
  nats_Close();
}
