#include "sluice/consumption.h"

#include <utility>

#include "client-sdk/cpp/subscription.h"

namespace sluice {

Consumption::Consumption(std::unique_ptr<internal::Subscription> subscription)
    : subscription_(std::move(subscription)) {}
Consumption::Consumption(Consumption&&) noexcept = default;
Consumption& Consumption::operator=(Consumption&&) noexcept = default;
Consumption::~Consumption() = default;

internal::Session& Consumption::session() const { return subscription_->session(); }

DrainReport Consumption::Drain(std::optional<std::chrono::milliseconds> timeout) {
  StartDrain(timeout);
  Closed();
  return drain_report();
}

void Consumption::StartDrain(std::optional<std::chrono::milliseconds> timeout) { session().StartDrain(timeout); }

void Consumption::Stop() {
  session().StartStop();
  Closed();
}

grpc::Status Consumption::Closed() { return session().WaitClosed(); }
bool Consumption::is_closed() const { return session().closed(); }
DrainReport Consumption::drain_report() const { return session().drain_report(); }
State Consumption::state() const { return session().state(); }
Stats Consumption::stats() const { return session().stats(); }
const std::string& Consumption::client_id() const { return session().client_id(); }

}  // namespace sluice
