#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sluice::base {

// The word among `known` that someone who typed `word` most likely meant; empty if none is near. Case and `-` for `_`
// do not count; two swapped letters count as one slip.
std::string Nearest(absl::string_view word, absl::Span<const std::string> known);

}  // namespace sluice::base
