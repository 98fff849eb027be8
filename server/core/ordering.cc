#include "core/ordering.h"

namespace sluice::core {
namespace {

// The token at `position` from the left, from 1.
absl::string_view TokenFromStart(absl::string_view subject, int position) {
  for (; position > 1; --position) {
    const size_t dot = subject.find('.');
    if (dot == absl::string_view::npos) return absl::string_view();
    subject.remove_prefix(dot + 1);
  }
  return subject.substr(0, subject.find('.'));
}

// The same from the right.
absl::string_view TokenFromEnd(absl::string_view subject, int position) {
  for (; position > 1; --position) {
    const size_t dot = subject.rfind('.');
    if (dot == absl::string_view::npos) return absl::string_view();
    subject = subject.substr(0, dot);
  }
  const size_t dot = subject.rfind('.');
  return dot == absl::string_view::npos ? subject : subject.substr(dot + 1);
}

}  // namespace

absl::string_view KeySelector::KeyOf(const Message& message) const {
  if (subject_token > 0) return TokenFromStart(message.subject, *subject_token);
  if (subject_token.has_value()) return TokenFromEnd(message.subject, -*subject_token);
  for (const Header& candidate : message.headers) {
    if (candidate.name == header) return candidate.value;
  }
  return absl::string_view();
}

}  // namespace sluice::core
