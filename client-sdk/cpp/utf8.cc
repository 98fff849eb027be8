#include "client-sdk/cpp/utf8.h"

#include <cstdint>

namespace sluice::internal {
namespace {

// Length of the well-formed character at the start of `text` (RFC 3629), or 0.
size_t CharacterLength(std::string_view text) {
  const auto byte = [text](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0u; };
  const auto continues = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = continues(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = continues(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string ToUtf8(std::string_view text, size_t most) {
  std::string result;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const std::string_view character = length > 0 ? text.substr(0, length) : std::string_view("?");
    if (result.size() + character.size() > most) break;
    result += character;
    text.remove_prefix(length > 0 ? length : 1);
  }
  return result;
}

}  // namespace sluice::internal
