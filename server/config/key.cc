#include "config/key.h"

#include "absl/strings/str_join.h"

namespace sluice::config {

std::string DefaultText(const Json& value) {
  if (value.is_null() || value.is_object()) return "";
  if (value.is_array()) {
    return absl::StrJoin(value, ", ", [](std::string* out, const Json& element) { *out += DefaultText(element); });
  }
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.empty() ? "" : absl::StrCat("`", text, "`");
}

}  // namespace sluice::config
