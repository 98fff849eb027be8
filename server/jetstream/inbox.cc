#include "jetstream/inbox.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::jetstream {

// What cnats's threads have of an inbox, until its end.
struct Inbox::Closure {
  std::shared_ptr<Sink> sink;
  std::shared_ptr<InboxRoutes> routes;  // null: a queue
  uint64_t number = 0;                  // in routes
};

// What the routes have left to cnats.
void Inbox::OnMessage(natsConnection*, natsSubscription*, natsMsg* msg, void* closure) {
  static_cast<Closure*>(closure)->sink->OnMessage(NatsPtr<natsMsg>(msg));
}

void Inbox::OnEnd(void* closure) {
  const std::unique_ptr<Closure> owned(static_cast<Closure*>(closure));
  if (owned->routes != nullptr) {
    owned->routes->Close(owned->number);
  } else {
    owned->sink->OnEnd();
  }
}

absl::StatusOr<std::unique_ptr<Inbox>> Inbox::Open(std::shared_ptr<NatsConnection> nats, std::shared_ptr<Sink> sink,
                                                   const std::string& consumer) {
  const std::shared_ptr<InboxRoutes> routes = nats->routes();
  const uint64_t number = routes->Open(sink, consumer);
  auto inbox = std::unique_ptr<Inbox>(new Inbox(std::move(nats), routes->PrefixOf(number)));
  auto closure = std::make_unique<Closure>(Closure{std::move(sink), routes, number});
  if (absl::Status subscribed = inbox->Subscribe(absl::StrCat(inbox->prefix_, "*"), "", std::move(closure));
      !subscribed.ok()) {
    return subscribed;
  }
  return inbox;
}

absl::StatusOr<std::unique_ptr<Inbox>> Inbox::OpenQueue(std::shared_ptr<NatsConnection> nats,
                                                        const std::string& subject, const std::string& queue,
                                                        std::shared_ptr<Sink> sink) {
  auto inbox = std::unique_ptr<Inbox>(new Inbox(std::move(nats), subject));
  auto closure = std::make_unique<Closure>(Closure{std::move(sink), nullptr, 0});
  if (absl::Status subscribed = inbox->Subscribe(subject, queue, std::move(closure)); !subscribed.ok()) {
    return subscribed;
  }
  return inbox;
}

absl::Status Inbox::Subscribe(const std::string& subject, const std::string& queue, std::unique_ptr<Closure> closure) {
  natsSubscription* subscription = nullptr;
  natsStatus status =
      queue.empty() ? natsConnection_Subscribe(&subscription, nats_->get(), subject.c_str(), OnMessage, closure.get())
                    : natsConnection_QueueSubscribe(&subscription, nats_->get(), subject.c_str(), queue.c_str(),
                                                    OnMessage, closure.get());
  if (status != NATS_OK) return absl::UnavailableError(natsStatus_GetText(status));
  nats_->Keep(NatsPtr<natsSubscription>(subscription));
  subscription_ = subscription;
  // cnats's thread has the closure from here on. If the connection is closed for good in between, nothing will free it:
  // a few bytes, instead of a race with that thread.
  Closure* const owned_by_nats = closure.release();
  status = natsSubscription_SetOnCompleteCB(subscription, OnEnd, owned_by_nats);
  // The default limits drop messages that were pulled, which then wait for ack_wait; pulls bound what can come.
  if (status == NATS_OK) status = natsSubscription_SetPendingLimits(subscription, -1, -1);
  return status == NATS_OK ? absl::OkStatus() : absl::UnavailableError(natsStatus_GetText(status));
}

Inbox::~Inbox() {
  if (subscription_ != nullptr) natsSubscription_Unsubscribe(subscription_);
}

void Inbox::Drain(absl::Duration timeout) {
  natsSubscription_DrainTimeout(subscription_, absl::ToInt64Milliseconds(timeout));
}

}  // namespace sluice::jetstream
