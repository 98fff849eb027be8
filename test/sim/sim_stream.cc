#include "test/sim/sim_stream.h"

#include <algorithm>

#include "test/sim/sim_pod.h"

namespace sluice::test {
namespace {

constexpr absl::Duration kLeastLatency = absl::Microseconds(20);
constexpr absl::Duration kMostLatency = absl::Microseconds(300);

}  // namespace

absl::Time SimStream::Travel(absl::Time& last_arrival, absl::Duration extra) {
  const absl::Time arrival = context_.timers->now() + context_.dice->Between(kLeastLatency, kMostLatency) + extra;
  last_arrival = std::max(last_arrival, arrival);
  return last_arrival;
}

void SimStream::AtDaemon(absl::AnyInvocable<void()> action) { pod_->WhenRunning(std::move(action)); }

void SimStream::Up(absl::AnyInvocable<void(core::Session*)> arrive) {
  context_.timers->At(Travel(up_arrival_), [self = shared_from_this(), arrive = std::move(arrive)]() mutable {
    self->AtDaemon([self, arrive = std::move(arrive)]() mutable {
      if (self->session_ != nullptr && !self->up_lost_) arrive(self->session_);
    });
  });
}

void SimStream::Down(absl::AnyInvocable<void(App*)> arrive, absl::Duration extra) {
  context_.timers->At(Travel(down_arrival_, extra), [self = shared_from_this(), arrive = std::move(arrive)]() mutable {
    if (self->app_ != nullptr) arrive(self->app_);
  });
}

// -------------------------------------------------------------------------------------------------------- the app's
// end

void SimStream::Open(SimPod* pod, core::OpenRequest request) {
  pod_ = pod;
  context_.timers->At(Travel(up_arrival_), [self = shared_from_this(), request = std::move(request)] {
    self->AtDaemon([self, request] {
      if (self->up_lost_) return;
      auto session = self->pod_->Open(request, self);
      if (session.ok()) {
        self->session_ = *session;
      } else {
        self->Down([](App* app) { app->OnStreamEnded(); });
      }
    });
  });
}

void SimStream::Settle(std::vector<std::pair<uint64_t, core::Settlement>> verdicts) {
  Up([this, verdicts = std::move(verdicts)](core::Session* session) {
    std::vector<core::SettleRun> runs;
    for (const auto& [id, settlement] : verdicts) runs.push_back({absl::MakeConstSpan(&id, 1), settlement});
    context_.ledger->BeforeSettle(number_, runs);
    session->OnSettle(runs);
    context_.ledger->AfterSettle(number_);
  });
}

void SimStream::SetCredit(core::Credit credit) {
  Up([this, credit](core::Session* session) {
    context_.ledger->OnCredit(number_, credit);
    session->OnCredit(credit);
  });
}

void SimStream::Drain(absl::Duration timeout) {
  Up([this, timeout](core::Session* session) {
    context_.ledger->OnAppDrain(number_, context_.timers->now() + timeout);
    session->OnDrain(timeout);
  });
}

void SimStream::HalfClose() {
  Up([this](core::Session* session) {
    context_.ledger->OnHalfClosed(number_);
    session->OnHalfClosed();
    session_ = nullptr;
  });
}

void SimStream::Break(absl::Duration unnoticed) {
  app_ = nullptr;
  up_lost_ = context_.dice->Chance(0.5);
  const absl::Time noticed = std::max(up_arrival_, context_.timers->now() + unnoticed);
  context_.timers->At(noticed, [self = shared_from_this()] {
    self->up_lost_ = true;
    if (self->session_ == nullptr) return;
    self->AtDaemon([self] {
      if (self->session_ == nullptr) return;
      self->context_.ledger->OnBroken(self->number_);
      std::exchange(self->session_, nullptr)->OnBroken();
    });
  });
}

// ----------------------------------------------------------------------------------------------------- the daemon's
// end

void SimStream::OnDaemonGone() {
  session_ = nullptr;
  up_lost_ = true;
  Down([](App* app) { app->OnStreamEnded(); }, absl::Milliseconds(1));
}

void SimStream::Deliver(absl::Span<const core::Delivery* const> batch) {
  if (writing_) context_.ledger->Fail("a frame while one is being written");
  context_.ledger->OnGiven(number_, batch);
  std::vector<Given> given;
  for (const core::Delivery* delivery : batch) {
    given.push_back(
        {delivery->id, context_.server->FindAttempt(delivery->message.reply).number, std::string(delivery->token)});
  }
  const absl::Duration write = context_.dice->Between(absl::ZeroDuration(), most_write_);
  Down([given = std::move(given)](App* app) { app->OnDeliveries(given); }, write);
  writing_ = true;
  context_.timers->After(write, [self = shared_from_this()] {
    self->AtDaemon([self] {
      self->writing_ = false;
      if (self->session_ != nullptr) self->session_->OnWritable();
    });
  });
}

void SimStream::Tell(core::Notice notice) {
  context_.ledger->OnTold(number_, notice);
  Down([notice = std::move(notice)](App* app) { app->OnNotice(notice); });
}

void SimStream::Finish(absl::Status status) {
  context_.ledger->OnFinished(number_, status);
  session_ = nullptr;
  up_lost_ = true;
  Down([](App* app) { app->OnStreamEnded(); });
}

}  // namespace sluice::test
