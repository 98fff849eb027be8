#include "test/integration/flood.h"

#include <utility>

#include "absl/time/clock.h"
#include "nats/nats.h"

namespace sluice::integration {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(1);
constexpr char kPayload[] = "0123456789abcdef";

}  // namespace

absl::StatusOr<std::unique_ptr<Flood>> Flood::Start(const std::string& url, const std::string& subject, int rate) {
  natsConnection* nats = nullptr;
  const natsStatus status = natsConnection_ConnectTo(&nats, url.c_str());
  if (status != NATS_OK) return absl::UnavailableError(natsStatus_GetText(status));
  return std::unique_ptr<Flood>(new Flood(nats, subject, rate));
}

Flood::Flood(natsConnection* nats, std::string subject, int rate)
    : nats_(nats), subject_(std::move(subject)), rate_(rate), started_(absl::Now()), thread_([this] { Run(); }) {}

Flood::~Flood() {
  ending_ = true;
  thread_.join();
  natsConnection_Destroy(nats_);
}

double Flood::rate() const { return published_ / absl::ToDoubleSeconds(absl::Now() - started_); }

// What a tick missed is not made up for: a machine that cannot keep up shall not get ever longer bursts.
void Flood::Run() {
  absl::Time last = absl::Now();
  double due = 0;
  while (!ending_) {
    absl::SleepFor(kTick);
    const absl::Time now = absl::Now();
    due += rate_ * absl::ToDoubleSeconds(std::min(now - last, 20 * kTick));
    last = now;
    for (; due >= 1; --due) {
      if (natsConnection_Publish(nats_, subject_.c_str(), kPayload, sizeof(kPayload) - 1) != NATS_OK) return;
      ++published_;
    }
  }
}

}  // namespace sluice::integration
