#pragma once

#include "absl/strings/string_view.h"

namespace sluice::core {

// Tokens with dots between them, none empty, without blanks; `>` only at the end.
bool IsSubjectPattern(absl::string_view text);

// Whether a message of `subject`, which has no wildcards, is one of those that `pattern` stands for: in a pattern, `*`
// is any one token, and `>` any one or more at the end.
bool SubjectMatches(absl::string_view pattern, absl::string_view subject);

}  // namespace sluice::core
