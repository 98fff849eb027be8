#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace sluice::core {

// One value of one header; a header with several values stands several times.
struct Header {
  absl::string_view name;
  absl::string_view value;
};

// A message as JetStream delivered it: one attempt. All views point into what `owner` keeps, so that the content is
// copied once only, into the response for the app.
struct Message {
  absl::string_view subject;
  absl::string_view reply;  // the ack subject, followed by a NUL: JetStream reads verdicts there
  std::vector<Header> headers;
  absl::string_view data;

  // From the ack subject.
  uint64_t stream_sequence = 0;    // from 1
  uint64_t consumer_sequence = 0;  // from 1
  uint64_t num_delivered = 0;      // attempts with this one, from 1
  uint64_t num_pending = 0;        // not yet delivered by the consumer
  int64_t timestamp_ns = 0;        // Unix time at which the stream stored it
  // Where in `reply` num_delivered, the sequences, timestamp_ns and num_pending begin, if that is all that follows,
  // each as it would be written. 0: it is not so, or nobody has looked.
  uint16_t numbers_at = 0;

  absl::string_view pin_id;  // Nats-Pin-Id, which is no header of its own; empty: the consumer pins no client

  // Keeps the content; any thread may let go of it.
  std::unique_ptr<void, void (*)(void*)> owner{nullptr, [](void*) {}};

  // What it counts against byte credit: subject, headers and data.
  size_t bytes() const {
    size_t sum = subject.size() + data.size();
    for (const Header& header : headers) sum += header.name.size() + header.value.size();
    return sum;
  }
};

}  // namespace sluice::core
