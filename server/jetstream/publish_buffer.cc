#include "jetstream/publish_buffer.h"

#include "absl/strings/str_cat.h"
#include "jetstream/nats_private.h"

namespace sluice::jetstream {
namespace {

// cnats's own lock, which one thread may take again.
class Locked {
 public:
  explicit Locked(natsConnection* connection) : connection_(connection) { natsConn_lockAndRetain(connection_); }
  ~Locked() { natsConn_unlockAndRelease(connection_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  bool is_up() const { return natsConnection_Status(connection_) == NATS_CONN_STATUS_CONNECTED; }

 private:
  natsConnection* const connection_;
};

}  // namespace

bool PublishBuffer::IsUsable() {
  return natsConn_lockAndRetain != nullptr && natsConn_bufferWrite != nullptr && natsConn_bufferFlush != nullptr &&
         natsConn_unlockAndRelease != nullptr;
}

void PublishBuffer::Add(absl::string_view subject, absl::string_view reply, absl::string_view payload) {
  absl::StrAppend(&text_, "PUB ", subject, reply.empty() ? "" : " ", reply);
  absl::StrAppend(&text_, " ", payload.size(), "\r\n", payload, "\r\n");
}

// Failures of both show in cnats's reading thread.
void PublishBuffer::HandOver(natsConnection* connection) {
  if (text_.empty()) return;
  const Locked locked(connection);
  if (locked.is_up()) natsConn_bufferWrite(connection, text_.data(), static_cast<int>(text_.size()));
  text_.clear();
}

void PublishBuffer::Write(natsConnection* connection) {
  const Locked locked(connection);
  HandOver(connection);
  if (locked.is_up()) natsConn_bufferFlush(connection);
}

}  // namespace sluice::jetstream
