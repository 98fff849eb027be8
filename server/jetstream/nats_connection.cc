#include "jetstream/nats_connection.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "jetstream/nats_private.h"

namespace sluice::jetstream {
namespace {

std::string UniqueBase() {
  natsInbox* raw = nullptr;
  SLUICE_CHECK(natsInbox_Create(&raw) == NATS_OK, "an inbox's name is some memory and random bytes");
  const NatsPtr<natsInbox> inbox(raw);
  return absl::StrCat(raw, ".");
}

// On the reading thread.
void Deliver(natsConnection*, natsMsg** msg, void* routes) {
  NatsPtr<natsMsg> owned(*msg);
  static_cast<InboxRoutes*>(routes)->Deliver(owned);
  *msg = owned.release();
}

}  // namespace

NatsConnection::NatsConnection(NatsPtr<natsConnection> nats)
    : routes_(std::make_shared<InboxRoutes>(UniqueBase())), nats_(std::move(nats)) {
  if (natsConn_setFilterWithClosure == nullptr) return;
  natsConn_setFilterWithClosure(nats_.get(), &Deliver, routes_.get());
}

}  // namespace sluice::jetstream
