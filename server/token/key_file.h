#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace sluice::token {

// A key for SealedTokenCodec that lives as long as this process.
std::string RandomKey();
uint64_t RandomInstance();

// The key in the file at `path`; if there is none, a new one is made there, 32 random bytes with mode 0600, complete or
// not at all, so that daemons that start at the same time end with the same key. Errors are for whoever runs the
// daemon: NOT_FOUND or PERMISSION_DENIED for the place, FAILED_PRECONDITION for a file that is no key, or that others
// can read; each says what to do.
absl::StatusOr<std::string> LoadOrMakeKey(const std::string& path);

}  // namespace sluice::token
