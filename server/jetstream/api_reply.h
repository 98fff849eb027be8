#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace sluice::jetstream {

// The server's own numbers of errors that Sluice acts on (`err_code`).
enum ApiError : int {
  kConsumerCreateFailed = 10012,  // also of an update that changes what cannot change
  kConsumerNotFound = 10014,
  kMessageNotFound = 10037,
  kStreamNotFound = 10059,
  kConsumerExists = 10148,        // action create, from 2.10
  kConsumerDoesNotExist = 10149,  // action update, from 2.10
};

// An answer of the JetStream API.
struct ApiReply {
  nlohmann::json body;      // an object
  int code = 0;             // 0: no error; else like a HTTP status
  int err_code = 0;         // see ApiError
  std::string description;  // of the error, by the server
};

// Fails only if `text` is no JSON object.
absl::StatusOr<ApiReply> ParseApiReply(absl::string_view text);

// `reply`, which has an error, as a status for people: the kind tells whether to try again (UNAVAILABLE), to create
// something (NOT_FOUND), to look again, because somebody else was quicker (ABORTED), or to change the configuration
// (FAILED_PRECONDITION).
absl::Status ApiStatus(const ApiReply& reply, absl::string_view stream, absl::string_view consumer);

}  // namespace sluice::jetstream
