#include "config/environment.h"

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace sluice::config {
namespace {

bool IsVariableName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(name[0])) return false;
  for (const char c : name) {
    if (!absl::ascii_isalnum(c) && c != '_') return false;
  }
  return true;
}

// `reference` is what stands between the braces.
absl::StatusOr<std::string> Resolve(absl::string_view reference, const Environment& environment) {
  const size_t separator = reference.find(":-");
  const absl::string_view name = reference.substr(0, separator);
  if (!IsVariableName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("'${", reference, "}' does not name an environment variable; ",
                                                   "write ${NAME} or ${NAME:-default}, or $${ for a literal ${"));
  }
  const std::optional<std::string> value = environment(std::string(name));
  if (separator != absl::string_view::npos) {
    return value.has_value() && !value->empty() ? *value : std::string(reference.substr(separator + 2));
  }
  if (!value.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment variable '", name, "' is not set; set it, or write ${", name, ":-default}"));
  }
  return *value;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::make_optional<std::string>(value);
  };
}

absl::StatusOr<std::string> Expand(absl::string_view text, const Environment& environment) {
  std::string expanded;
  while (true) {
    const size_t dollar = text.find('$');
    absl::StrAppend(&expanded, text.substr(0, dollar));
    if (dollar == absl::string_view::npos) return expanded;
    text.remove_prefix(dollar + 1);

    if (!text.empty() && text[0] == '{') {
      const size_t end = text.find('}');
      if (end == absl::string_view::npos) {
        return absl::InvalidArgumentError("'${' without '}'; write ${NAME}, or $${ for a literal ${");
      }
      absl::StatusOr<std::string> value = Resolve(text.substr(1, end - 1), environment);
      if (!value.ok()) return value.status();
      absl::StrAppend(&expanded, *value);
      text.remove_prefix(end + 1);
    } else {
      expanded.push_back('$');
      if (!text.empty() && text[0] == '$') text.remove_prefix(1);
    }
  }
}

std::string Escape(absl::string_view text) { return absl::StrReplaceAll(text, {{"$", "$$"}}); }

}  // namespace sluice::config
