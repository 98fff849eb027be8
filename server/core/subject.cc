#include "core/subject.h"

namespace sluice::core {
namespace {

absl::string_view TakeToken(absl::string_view& rest, bool* more) {
  const size_t dot = rest.find('.');
  *more = dot != absl::string_view::npos;
  const absl::string_view token = rest.substr(0, dot);
  rest = *more ? rest.substr(dot + 1) : absl::string_view();
  return token;
}

}  // namespace

bool IsSubjectPattern(absl::string_view text) {
  if (text.find_first_of(" \t\r\n") != absl::string_view::npos) return false;
  bool more = true;
  while (more) {
    const absl::string_view token = TakeToken(text, &more);
    if (token.empty() || (token == ">" && more)) return false;
  }
  return true;
}

bool SubjectMatches(absl::string_view pattern, absl::string_view subject) {
  bool more_pattern = true;
  bool more_subject = true;
  while (more_pattern && more_subject) {
    const absl::string_view wanted = TakeToken(pattern, &more_pattern);
    if (wanted == ">" && !more_pattern) return true;
    const absl::string_view token = TakeToken(subject, &more_subject);
    if (wanted != "*" && wanted != token) return false;
  }
  return more_pattern == more_subject;
}

}  // namespace sluice::core
