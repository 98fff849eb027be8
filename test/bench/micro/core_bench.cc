#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/daemon.h"
#include "core/session.h"
#include "test/support/sim_clock.h"

namespace sluice::core {
namespace {

// A server that is asked for messages and never says anything by itself.
class IdleSource final : public MessageSource {
 public:
  void Start(Listener* told) override { listener = told; }
  void Attach() override {}
  void Pull(const PullRequest& request) override { wanted += request.batch; }
  void Settle(absl::string_view, const Settlement&) override {}
  void Confirm(absl::string_view, const Settlement&, uint64_t tag) override { confirm = tag; }
  void Fence(absl::string_view, uint64_t tag) override { confirm = tag; }
  void RequestInfo() override {}
  void RenewPin(absl::string_view, uint64_t) override {}
  void Unpin() override {}
  void CloseIntake() override {}

  Listener* listener = nullptr;
  uint64_t wanted = 0;
  uint64_t confirm = 0;  // the tag of a question without its answer; 0: none
};

// An app that acks what it was given when it is told to.
class AckingApp final : public AppStream {
 public:
  bool writable() const override { return true; }
  void Deliver(absl::Span<const Delivery* const> batch) override {
    for (const Delivery* delivery : batch) given.push_back(delivery->id);
  }
  void Tell(Notice) override {}
  void Finish(absl::Status) override {}

  void AckAll() {
    acked.swap(given);
    const SettleRun run = {acked, {}};
    session->OnSettle({&run, 1});
    acked.clear();
  }

  Session* session = nullptr;
  std::vector<uint64_t> given;
  std::vector<uint64_t> acked;
};

// A message through core: received, leased, given to an app, acked; so many apps take turns.
void BM_Core(benchmark::State& state) {
  constexpr char kReply[] = "$JS.ACK.ORDERS.orders.1.123456789.123456789.1700000000000000000.0";
  test::SimLoop loop;
  Daemon daemon(&loop.timers());
  auto owned = std::make_unique<IdleSource>();
  IdleSource* const source = owned.get();
  ConsumerOptions options;
  options.name = "orders";
  daemon.AddConsumer(options, std::move(owned));
  source->listener->OnConnection(true);
  source->listener->OnAttached(ConsumerInfo());
  std::vector<std::unique_ptr<AckingApp>> apps;
  for (int64_t i = 0; i < state.range(0); ++i) {
    apps.push_back(std::make_unique<AckingApp>());
    OpenRequest request;
    request.consumer = "orders";
    request.credit.messages = 1024;
    apps.back()->session = *daemon.Open(request, apps.back().get());
  }
  std::vector<Message> batch;
  uint64_t sequence = 0;
  for (auto _ : state) {
    batch.clear();
    for (uint64_t wanted = std::exchange(source->wanted, 0); wanted > 0; --wanted) {
      batch.emplace_back();
      batch.back().subject = "orders.created";
      batch.back().reply = kReply;
      batch.back().data = "data";
      batch.back().stream_sequence = batch.back().consumer_sequence = ++sequence;
      batch.back().num_delivered = 1;
    }
    if (!batch.empty()) source->listener->OnMessages(absl::MakeSpan(batch));
    for (auto& app : apps) {
      if (!app->given.empty()) app->AckAll();
    }
    if (source->confirm != 0) source->listener->OnConfirmed(std::exchange(source->confirm, 0), absl::OkStatus());
    loop.RunFor(absl::Milliseconds(1));
  }
  state.SetItemsProcessed(static_cast<int64_t>(sequence));
}
BENCHMARK(BM_Core)->Arg(1)->Arg(4)->Arg(1'000);

}  // namespace
}  // namespace sluice::core
