#pragma once

#include "absl/strings/string_view.h"
#include "core/message.h"
#include "jetstream/nats_ptr.h"

namespace sluice::jetstream {

// The header block of a received message, exactly as the server sent it; empty if it has none. See header_block.h for
// why cnats's own accessors are not used. cnats keeps a received message in one piece of memory: subject, reply, header
// block and payload, each ended by a NUL (natsMsg_create, the same from 2.2 on); so the block lies between the reply
// and the payload. Headers that come out wrong on some other cnats fail JetStreamSourceTest.
absl::string_view HeaderBlockOf(const natsMsg* msg);

// Makes `msg` the owner of a message of core, as views. One allocation if there are headers, none otherwise. A message
// without `reply` is a status: its `data` is the header block. A null owner: it is neither, and not from JetStream.
core::Message ToMessage(NatsPtr<natsMsg> msg);

}  // namespace sluice::jetstream
