#include "test/sim/sim_pod.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::test {
namespace {

constexpr int kMostStarts = 1000;  // of one pod; spaces the numbers of the daemons
constexpr absl::Duration kMostRestart = absl::Milliseconds(500);
constexpr absl::Duration kLongRestart = absl::Seconds(5);  // ack waits run out meanwhile

}  // namespace

SimPod::SimPod(const SimContext& context, int slot, const core::ConsumerOptions& options,
               ModelSource::Options source_options)
    : context_(context), slot_(slot), options_(options), source_options_(source_options), process_(context.loop) {}

void SimPod::Start() {
  if (running()) return;
  number_ = slot_ * kMostStarts + ++starts_;
  options_.seed = context_.dice->Seed();
  source_options_.owner = number_;
  source_options_.seed = context_.dice->Seed();
  context_.ledger->OnDaemonStarted(number_, options_);
  auto source = std::make_unique<ModelSource>(context_.server, &process_.timers(), source_options_, context_.ledger);
  source_ = source.get();
  daemon_ = std::make_unique<core::Daemon>(&process_.timers());
  tokens_ = std::make_unique<BookTokens>(context_.book, static_cast<uint64_t>(number_));
  daemon_->SetTokens(tokens_.get());
  daemon_->AddConsumer(options_, std::move(source),
                       std::make_unique<ModelDeadLetters>(context_.dead_letters, &process_.timers(), number_));
}

void SimPod::Kill() {
  if (running()) Stop(true);
}

void SimPod::Stop(bool killed) {
  context_.ledger->OnDaemonGone(number_, killed);
  if (killed && serving()) context_.book->MarkCrashed(static_cast<uint64_t>(number_));
  for (const auto& weak : std::exchange(streams_, {})) {
    if (auto stream = weak.lock()) stream->OnDaemonGone();
  }
  source_ = nullptr;
  daemon_.reset();
  Continue();
  const absl::Duration most = killed && context_.dice->Chance(0.3) ? kLongRestart : kMostRestart;
  context_.timers->After(context_.dice->Between(absl::ZeroDuration(), most), [this] { Start(); });
}

void SimPod::Stall(absl::Duration duration) {
  if (!serving() || stalled()) return;
  context_.ledger->OnStall(number_, true);
  process_.Stop();
  context_.timers->After(duration, [this, number = number_] {
    if (number_ == number) Continue();
  });
}

// What has come meanwhile is there before any timer of its own runs.
void SimPod::Continue() {
  if (!stalled()) return;
  process_.Continue();
  if (running()) context_.ledger->OnStall(number_, false);
  for (auto& action : std::exchange(when_running_, {})) action();
}

void SimPod::WhenRunning(absl::AnyInvocable<void()> action) {
  if (stalled()) {
    when_running_.push_back(std::move(action));
  } else {
    action();
  }
}

void SimPod::Drain(absl::Duration timeout) {
  if (!serving() || stalled()) return;
  OnDrainBegins(context_.timers->now() + timeout);
  daemon_->Drain(timeout);
}

void SimPod::Terminate(absl::Duration timeout) {
  if (!running() || stalled()) return;
  if (serving()) OnDrainBegins(context_.timers->now() + timeout);
  daemon_->Terminate(timeout, [this, number = number_](const core::Daemon::Report&) {
    // Not from within a call of core.
    context_.timers->After(absl::ZeroDuration(), [this, number] {
      if (running() && number_ == number) Stop(false);
    });
  });
}

// A drain ends by its deadline, but for what the server's last answers may take; and it is judged when it ends.
void SimPod::OnDrainBegins(absl::Time deadline) {
  process_.timers().RunDue();  // a stall may have ended just now
  context_.ledger->OnDrain(number_, deadline);
  daemon_->WhenDrained([this, number = number_](const core::Daemon::Report& report) {
    context_.ledger->OnDrained(number, report.total);
  });
  const absl::Duration last_words =
      options_.pull_expires + absl::Milliseconds(500) + 2 * ModelSource::kRequestTimeout + 2 * options_.confirm_timeout;
  context_.timers->At(deadline + last_words, [this, number = number_] {
    const bool late = running() && number_ == number && !drained();
    if (late) context_.ledger->Fail(absl::StrCat("daemon ", number, " did not end its drain by the deadline"));
  });
}

void SimPod::Disconnect(absl::Duration down, absl::Duration unnoticed) {
  if (running() && !stalled()) source_->Disconnect(down, unnoticed);
}

absl::StatusOr<core::Session*> SimPod::Open(const core::OpenRequest& request,
                                            const std::shared_ptr<SimStream>& stream) {
  if (!running()) return absl::UnavailableError("nobody listens");
  context_.ledger->OnStreamOpening(stream->number(), number_, request);
  auto session = daemon_->Open(request, stream.get());
  if (session.ok()) {
    streams_.push_back(stream);
  } else {
    context_.ledger->OnStreamRefused(stream->number());
  }
  return session;
}

}  // namespace sluice::test
