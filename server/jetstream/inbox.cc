#include "jetstream/inbox.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::jetstream {
namespace {

using SinkPtr = std::shared_ptr<Inbox::Sink>;

void OnMessage(natsConnection*, natsSubscription*, natsMsg* msg, void* sink) {
  (*static_cast<SinkPtr*>(sink))->OnMessage(NatsPtr<natsMsg>(msg));
}

void OnEnd(void* sink) {
  const std::unique_ptr<SinkPtr> owned(static_cast<SinkPtr*>(sink));
  (*owned)->OnEnd();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Inbox>> Inbox::Open(std::shared_ptr<NatsConnection> nats, std::shared_ptr<Sink> sink) {
  natsInbox* raw_inbox = nullptr;
  const natsStatus status = natsInbox_Create(&raw_inbox);
  const NatsPtr<natsInbox> unique(raw_inbox);
  if (status != NATS_OK) return absl::InternalError(natsStatus_GetText(status));
  auto inbox = std::unique_ptr<Inbox>(new Inbox(std::move(nats), absl::StrCat(raw_inbox, ".")));
  if (absl::Status subscribed = inbox->Subscribe(absl::StrCat(inbox->prefix_, "*"), "", std::move(sink));
      !subscribed.ok()) {
    return subscribed;
  }
  return inbox;
}

absl::StatusOr<std::unique_ptr<Inbox>> Inbox::OpenQueue(std::shared_ptr<NatsConnection> nats,
                                                        const std::string& subject, const std::string& queue,
                                                        std::shared_ptr<Sink> sink) {
  auto inbox = std::unique_ptr<Inbox>(new Inbox(std::move(nats), subject));
  if (absl::Status subscribed = inbox->Subscribe(subject, queue, std::move(sink)); !subscribed.ok()) return subscribed;
  return inbox;
}

absl::Status Inbox::Subscribe(const std::string& subject, const std::string& queue, std::shared_ptr<Sink> sink) {
  auto closure = std::make_unique<SinkPtr>(std::move(sink));
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
  SinkPtr* const owned_by_nats = closure.release();
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
