#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sluice::config {

// The value of an environment variable, if it is set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

Environment ProcessEnvironment();

// Replaces `${NAME}` by the variable, an error if it is not set, `${NAME:-default}` by the variable or, if it is not
// set or empty, by the default, and `$$` by `$`. Any other `$` stands for itself, as in `$JS.API`.
absl::StatusOr<std::string> Expand(absl::string_view text, const Environment& environment);

// The text that Expand() turns into `text`.
std::string Escape(absl::string_view text);

}  // namespace sluice::config
