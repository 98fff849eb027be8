#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice::jetstream {

// The public key ("U...") that belongs to an NKey seed ("SU..."). cnats signs with a seed but wants to be told the
// public key, which would make people configure what the seed already says. INVALID_ARGUMENT if it is no user's seed;
// never repeats it.
absl::StatusOr<std::string> PublicNKey(absl::string_view seed);

}  // namespace sluice::jetstream
