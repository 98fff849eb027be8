#include "jetstream/nats_message.h"

#include <cstring>

#include "jetstream/ack_subject.h"
#include "jetstream/header_block.h"
#include "jetstream/nats_private.h"

namespace sluice::jetstream {
namespace {

void Free(void* msg) {
  if (natsMsg_free != nullptr) {
    natsMsg_free(msg);
  } else {
    natsMsg_Destroy(static_cast<natsMsg*>(msg));
  }
}

}  // namespace

absl::string_view HeaderBlockOf(const natsMsg* msg) {
  const char* reply = natsMsg_GetReply(msg);
  const char* last_text = reply != nullptr ? reply : natsMsg_GetSubject(msg);
  const char* begin = last_text + std::strlen(last_text) + 1;
  const char* data = natsMsg_GetData(msg);
  if (data <= begin) return absl::string_view();
  return absl::string_view(begin, static_cast<size_t>(data - begin) - 1);
}

core::Message ToMessage(NatsPtr<natsMsg> msg) {
  core::Message message;
  const char* subject = natsMsg_GetSubject(msg.get());
  if (const char* reply = natsMsg_GetReply(msg.get()); reply == nullptr) {
    message.subject = subject;
    message.data = HeaderBlockOf(msg.get());
    if (message.data.empty()) return message;
  } else {
    message.reply = reply;
    if (!ParseAckSubject(message.reply, message)) return message;
    message.subject = absl::string_view(subject, static_cast<size_t>(reply - subject) - 1);  // may hold a NUL
    message.data = absl::string_view(natsMsg_GetData(msg.get()), static_cast<size_t>(natsMsg_GetDataLength(msg.get())));
    if (const absl::string_view block = HeaderBlockOf(msg.get()); !block.empty()) message.headers = ParseHeaders(block);
  }
  message.owner = {msg.release(), Free};
  return message;
}

}  // namespace sluice::jetstream
