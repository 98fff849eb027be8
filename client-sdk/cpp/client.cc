#include "sluice/client.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "client-sdk/cpp/poller.h"
#include "client-sdk/cpp/subscription.h"
#include "client-sdk/cpp/utf8.h"
#include "client-sdk/cpp/worker.h"

namespace sluice {
namespace {

constexpr char kDefaultAddress[] = "unix:///run/sluice/sluice.sock";

// Limits of sluice.v1.
constexpr size_t kLongestClientId = 128;
constexpr uint32_t kMostMessages = 1 << 20;
constexpr uint32_t kMostInFrame = 256;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;

std::string DefaultAddress() {
  const char* address = std::getenv("SLUICE_ADDRESS");
  return address != nullptr && *address != '\0' ? address : kDefaultAddress;
}

std::string MakeClientId() {
  char host[64] = "app";  // cut short if need be: the rest makes it unique
  gethostname(host, sizeof(host) - 1);
  const auto random = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  return std::string(host) + "-" + std::to_string(getpid()) + "-" + std::to_string(random);
}

std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // a frame may be one message of any size the server allows
  // Finds a daemon that hangs, or a node that is gone. A stream that flows sends none.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  // The waiting between attempts is the session's; gRPC's own (up to 2 min) must not add to it.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // the time an attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto credentials = options.credentials ? options.credentials : grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(options.address, credentials, arguments);
}

ConsumeOptions WithinLimits(ConsumeOptions options) {
  options.concurrency = std::clamp(options.concurrency, 1, 10'000);  // threads
  options.max_batch = std::min(options.max_batch, kMostInFrame);
  options.credit.messages = std::min(options.credit.messages, kMostMessages);
  options.credit.bytes = std::min(options.credit.bytes, kMostBytes);
  return options;
}

}  // namespace

// The channel, and the sessions over it.
class Client::Connection {
 public:
  explicit Connection(ClientOptions options) : options_(std::move(options)) {
    if (options_.address.empty()) options_.address = DefaultAddress();
    if (options_.client_id.empty()) options_.client_id = MakeClientId();
    options_.client_id = internal::ToUtf8(options_.client_id, kLongestClientId);
    channel_ = MakeChannel(options_);
  }

  // Without `work` the app takes the messages itself.
  std::unique_ptr<internal::Subscription> Subscribe(const std::string& consumer, ConsumeOptions options,
                                                    internal::Style style, bool in_lanes, internal::Work work = {}) {
    options = WithinLimits(std::move(options));
    const int workers = work ? options.concurrency : 0;
    auto session = std::make_shared<internal::Session>(
        internal::SessionOptions{consumer, ClientIdFor(consumer), options_.first_retry, options_.longest_retry,
                                 options_.log, std::move(options), style, in_lanes});
    {
      std::lock_guard lock(mutex_);
      std::erase_if(sessions_, [](const auto& known) { return known.expired(); });
      sessions_.push_back(session);
    }
    return std::make_unique<internal::Subscription>(std::move(session), channel_, poller_, workers, std::move(work));
  }

  void Stop() {
    std::vector<std::shared_ptr<internal::Session>> sessions;
    {
      std::lock_guard lock(mutex_);
      for (const auto& known : sessions_) {
        if (auto session = known.lock()) sessions.push_back(std::move(session));
      }
    }
    for (const auto& session : sessions) session->StartStop();
    for (const auto& session : sessions) session->WaitClosed();
  }

  const ClientOptions& options() const { return options_; }

 private:
  // A second consumption of the same consumer is another instance to the daemon.
  std::string ClientIdFor(const std::string& consumer) {
    std::lock_guard lock(mutex_);
    const int ordinal = ++consumptions_[consumer];
    if (ordinal == 1) return options_.client_id;
    const std::string suffix = "-" + std::to_string(ordinal);
    return internal::ToUtf8(options_.client_id, kLongestClientId - suffix.size()) + suffix;
  }

  ClientOptions options_;  // constant after construction, like the channel
  std::shared_ptr<grpc::Channel> channel_;
  const std::shared_ptr<internal::Poller> poller_ = std::make_shared<internal::Poller>();

  std::mutex mutex_;  // guards what follows
  std::map<std::string, int> consumptions_;
  std::vector<std::weak_ptr<internal::Session>> sessions_;
};

Client::Client(ClientOptions options) : connection_(std::make_unique<Connection>(std::move(options))) {}
Client::~Client() = default;

Consumption Client::Consume(const std::string& consumer, Handler handler) {
  return Consume(consumer, {}, std::move(handler));
}

Consumption Client::Consume(const std::string& consumer, ConsumeOptions options, Handler handler) {
  const bool in_lanes = options.concurrency > 1 || handler.owns();  // else one ends before the next begins
  return Consumption(connection_->Subscribe(
      consumer, std::move(options), internal::Style::kHandled, in_lanes,
      [handler = std::move(handler)](internal::Session& session) { internal::HandleMessages(session, handler); }));
}

Consumption Client::ConsumeBatches(const std::string& consumer, ConsumeOptions options, BatchHandler handler) {
  return Consumption(connection_->Subscribe(
      consumer, std::move(options), internal::Style::kHandled, true,
      [handler = std::move(handler)](internal::Session& session) { internal::HandleBatches(session, handler); }));
}

Messages Client::Messages(const std::string& consumer, ConsumeOptions options) {
  return sluice::Messages(connection_->Subscribe(consumer, std::move(options), internal::Style::kLooped, true));
}

Fetcher Client::Fetcher(const std::string& consumer, ConsumeOptions options) {
  return sluice::Fetcher(connection_->Subscribe(consumer, std::move(options), internal::Style::kFetched, false));
}

void Client::Stop() { connection_->Stop(); }
const std::string& Client::address() const { return connection_->options().address; }
const std::string& Client::client_id() const { return connection_->options().client_id; }

}  // namespace sluice
