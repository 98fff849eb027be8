#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "core/message.h"

namespace sluice::jetstream {

// What precedes the payload of a message with headers, as it comes over the wire:
//
//   NATS/1.0[ <code> <description>]\r\n
//   <name>: <value>\r\n ...
//   \r\n
//
// cnats can parse it too, but not exactly: it ends values at a NUL, trims and folds them, loses their order, refuses a
// block whole for one odd line, and allocates a hash map and a node per value. NATS does not promise that names and
// values are text, so this reader takes every byte as it is, except one run of spaces and tabs after the colon, which
// all clients write and no client means.
//
// Both keep views of `block`; it may hold any bytes.

// "408 Request Timeout"; empty if it is no header block or has no status.
absl::string_view StatusOf(absl::string_view block);

// All values in their order. A line without a colon is no header and is left out.
std::vector<core::Header> ParseHeaders(absl::string_view block);

}  // namespace sluice::jetstream
