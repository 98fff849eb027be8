#include "app/message_line.h"

#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client-sdk/cpp/utf8.h"
#include "nlohmann/json.hpp"

namespace sluice::app {
namespace {

using Json = nlohmann::ordered_json;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsUtf8(std::string_view bytes) { return internal::ToUtf8(bytes, bytes.size()) == bytes; }

std::string Printable(std::string_view bytes) {
  return IsUtf8(bytes) ? absl::Utf8SafeCHexEscape(View(bytes)) : absl::CHexEscape(View(bytes));
}

void Put(Json& object, const std::string& name, std::string_view bytes) {
  if (IsUtf8(bytes)) {
    object[name] = bytes;
  } else {
    object[name + "_base64"] = absl::Base64Escape(View(bytes));
  }
}

}  // namespace

std::string TextLine(const Message& message) {
  return absl::StrCat(message.stream_sequence(), " ", SubjectLine(message), " ", Printable(message.data()));
}

std::string SubjectLine(const Message& message) { return Printable(message.subject()); }

std::string JsonLine(const Message& message) {
  Json line;
  Put(line, "subject", message.subject());
  line["stream_sequence"] = message.stream_sequence();
  line["consumer_sequence"] = message.consumer_sequence();
  line["num_delivered"] = message.num_delivered();
  line["num_pending"] = message.num_pending();
  line["timestamp"] = absl::FormatTime(absl::RFC3339_full, absl::FromChrono(message.timestamp()), absl::UTCTimeZone());
  if (!message.key().empty()) Put(line, "key", message.key());
  line["headers"] = Json::array();
  for (const auto& [name, value] : message.headers()) {
    Json header;
    Put(header, "name", name);
    Put(header, "value", value);
    line["headers"].push_back(std::move(header));
  }
  Put(line, "data", message.data());
  return line.dump();
}

}  // namespace sluice::app
