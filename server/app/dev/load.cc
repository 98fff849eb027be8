#include "app/dev/load.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "app/dev/payload.h"
#include "core/durable_config.h"
#include "jetstream/connection_options.h"
#include "jetstream/durable.h"
#include "jetstream/stream.h"

namespace sluice::dev {
namespace {

// Longer than a publish is retried; the server keeps every id of this time in memory.
constexpr absl::Duration kDuplicateWindow = absl::Seconds(10);

absl::Status OfResult(const absl::StatusOr<absl::Status>& result) { return result.ok() ? *result : result.status(); }

}  // namespace

// Owns the demo's requests on the connection, and knows when it is first there.
class Load::Arrival final : public jetstream::Connection::Listener {
 public:
  explicit Arrival(absl::AnyInvocable<void(bool)> arrived) : arrived_(std::move(arrived)) {}

  void OnConnection(bool connected) override {
    if (connected && arrived_ != nullptr) std::exchange(arrived_, nullptr)(true);
  }

 private:
  absl::AnyInvocable<void(bool)> arrived_;  // null: called
};

template <typename Result>
absl::StatusOr<Result> Load::Await(absl::Duration timeout,
                                   absl::AnyInvocable<void(absl::AnyInvocable<void(Result)>)> start) {
  struct Answer {  // shared: it may come after the deadline
    absl::Notification given;
    std::optional<Result> result;
  };
  const auto answer = std::make_shared<Answer>();
  loop_.Post([answer, start = std::move(start)]() mutable {
    start([answer](Result result) {
      answer->result = std::move(result);
      answer->given.Notify();
    });
  });
  if (!answer->given.WaitForNotificationWithTimeout(timeout)) return absl::DeadlineExceededError("no answer in time");
  return *std::move(answer->result);
}

Load::Load(Names names) : names_(std::move(names)) {}

absl::StatusOr<std::unique_ptr<Load>> Load::Connect(const std::string& nats_url, Names names) {
  auto load = std::unique_ptr<Load>(new Load(std::move(names)));
  if (absl::Status status = load->Dial(nats_url); !status.ok()) return status;
  return load;
}

absl::Status Load::Dial(const std::string& nats_url) {
  jetstream::ConnectionOptions options;
  options.servers = {nats_url};
  options.name = "sluice dev";
  absl::StatusOr<std::unique_ptr<jetstream::Connection>> connection =
      jetstream::Connection::Connect(std::move(options), &loop_);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  thread_ = std::thread([this] { loop_.Run(); });

  const absl::StatusOr<bool> connected = Await<bool>(kConnectTimeout, [this](auto arrived) {
    arrival_ = std::make_unique<Arrival>(std::move(arrived));
    connection_->AddListener(arrival_.get());
    publisher_ = std::make_unique<jetstream::Publisher>(connection_.get(), &loop_, names_.subject, names_.stream);
  });
  if (connected.ok()) return absl::OkStatus();
  const std::string why = this->connection().last_error;
  return absl::UnavailableError(absl::StrCat("cannot connect to NATS at ", nats_url, ": ",
                                             why.empty() ? "no answer" : why,
                                             "; check the address, or leave out --nats to use a server of its own"));
}

Load::~Load() {
  if (!thread_.joinable()) return;
  loop_.Post([this] {
    tick_.Cancel();  // still due where nobody came to Stop()
    publisher_.reset();
    if (connection_ != nullptr && arrival_ != nullptr) connection_->RemoveListener(arrival_.get());
    if (connection_ != nullptr) connection_->Close().IgnoreError();  // all that matters was confirmed
  });
  loop_.Stop();
  thread_.join();
}

absl::Status Load::CreateStream() {
  return OfResult(Await<absl::Status>(2 * jetstream::kStreamTimeout, [this](auto done) {
    const jetstream::StreamConfig config = {
        .name = names_.stream, .subjects = {names_.subject}, .work_queue = true, .duplicate_window = kDuplicateWindow};
    jetstream::CreateStream(connection_.get(), arrival_.get(), config, std::move(done));
  }));
}

absl::Status Load::DeleteStream() {
  return OfResult(Await<absl::Status>(2 * jetstream::kStreamTimeout, [this](auto done) {
    jetstream::DeleteStream(connection_.get(), arrival_.get(), names_.stream, std::move(done));
  }));
}

absl::StatusOr<core::ConsumerInfo> Load::Info() {
  using Info = absl::StatusOr<core::ConsumerInfo>;
  absl::StatusOr<Info> info = Await<Info>(2 * jetstream::Durable::kInfoTimeout, [this](auto done) {
    auto durable =
        std::make_shared<jetstream::Durable>(connection_.get(), arrival_.get(), &loop_.timers(), names_.stream,
                                             names_.durable, core::Manage::kOff, core::DurableConfig());
    durable->Info([durable, done = std::move(done)](const Info& info) mutable { done(info); });
  });
  return info.ok() ? *std::move(info) : Info(info.status());
}

void Load::Start(uint64_t rate, size_t size) {
  loop_.Post([this, rate, size] {
    pace_.emplace(rate, loop_.timers().now());
    Tick(size);
  });
}

void Load::Tick(size_t size) {
  const uint64_t published = publisher_->confirmed() + publisher_->unconfirmed();
  const uint64_t due = pace_->Due(loop_.timers().now(), published, publisher_->unconfirmed(), acked_);
  for (uint64_t i = 1; i <= due; ++i) publisher_->Publish(MakePayload(published + i, size));
  confirmed_ = publisher_->confirmed();
  unconfirmed_ = publisher_->unconfirmed();
  tick_.SetAfter(kTick, [this, size] { Tick(size); });
}

absl::Status Load::Stop() {
  const absl::StatusOr<bool> confirmed = Await<bool>(kStopTimeout, [this](auto done) {
    pace_.reset();
    tick_.Cancel();
    publisher_->WhenConfirmed([this, done = std::move(done)]() mutable {
      confirmed_ = publisher_->confirmed();
      unconfirmed_ = 0;
      done(true);
    });
  });
  if (confirmed.ok()) return absl::OkStatus();
  const absl::StatusOr<std::string> error =
      Await<std::string>(kStopTimeout, [this](auto done) { done(publisher_->last_error()); });
  return absl::DeadlineExceededError(absl::StrCat("JetStream did not confirm what was published: ", error.value_or(""),
                                                  error.value_or("").empty() ? "no answer" : ""));
}

jetstream::ConnectionStatus Load::connection() {
  using Status = jetstream::ConnectionStatus;
  return Await<Status>(kStopTimeout, [this](auto done) { done(connection_->status()); }).value_or(Status());
}

}  // namespace sluice::dev
