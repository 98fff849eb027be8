#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config/reader.h"

namespace sluice::config {

using Json = nlohmann::ordered_json;  // keys keep the order of the schema

// What the value of a key may be: how it is read, printed and described.
template <typename T>
struct Kind {
  std::string type;   // "duration"
  std::string limit;  // "1..4096"; empty: none
  // Complains to the reader, and leaves the value alone, if what stands there does not fit.
  std::function<void(Reader&, const YAML::Node&, T&)> read;
  // As it would stand in a file, secrets hidden.
  std::function<Json(const T&)> print;
  std::vector<KeyDoc> keys;  // of a mapping, or of a list of mappings
};

template <typename T>
using ParseScalar = std::function<absl::StatusOr<T>(absl::string_view)>;

// A value in one word; `parse` says what is wrong and what to write instead.
template <typename T>
Kind<T> ScalarKind(std::string type, std::string limit, ParseScalar<T> parse, std::function<Json(const T&)> print) {
  auto read = [type, parse = std::move(parse)](Reader& reader, const YAML::Node& node, T& value) {
    const std::optional<std::string> text = reader.Scalar(node, type);
    if (!text.has_value()) return;
    absl::StatusOr<T> parsed = parse(*text);
    if (parsed.ok()) {
      value = *std::move(parsed);
    } else {
      reader.Complain(parsed.status().message());
    }
  };
  return {std::move(type), std::move(limit), std::move(read), std::move(print), {}};
}

// true, false.
Kind<bool> Boolean();
// Any text of at most `most` bytes, without control characters.
Kind<std::string> Text(size_t most);
// The same, never shown.
Kind<std::string> Secret();
// A name of a stream or consumer, as nats-server accepts it.
Kind<std::string> NatsName();
// A subject that may hold wildcards.
Kind<std::string> Subject();
// A prefix of subjects, without wildcards.
Kind<std::string> SubjectPrefix();
// A subject that messages are published to, without wildcards.
Kind<std::string> LiteralSubject();
// The address of a nats-server; a password or token in it is never shown.
Kind<std::string> ServerUrl();
// A file that exists and can be read; empty: none.
Kind<std::string> ReadableFile();
// The path of a Unix socket; empty: none.
Kind<std::string> SocketPath();
// host:port, [host]:port; empty: none.
Kind<std::string> TcpAddress();
// A point in time, as RFC 3339 writes it.
Kind<std::string> Timestamp();
// Units are required: 500ms, 30s, 1m30s, 2h.
Kind<absl::Duration> DurationIn(absl::Duration least, absl::Duration most);
Kind<int64_t> IntegerIn(int64_t least, int64_t most);
Kind<double> NumberIn(double least, double most);
// A position from the start, from 1, or from the end, from -1.
Kind<int64_t> Position(int64_t most);
// The name of a header, as NATS accepts it.
Kind<std::string> HeaderName();
Kind<std::string> PriorityGroup();
// -1 (no limit), or at least 1.
Kind<int64_t> CountOrUnlimited();

// One of some words.
template <typename T>
using Words = std::vector<std::pair<std::string, T>>;
absl::StatusOr<size_t> FindWord(const std::vector<std::string>& words, absl::string_view text);
std::string JoinWords(const std::vector<std::string>& words);

template <typename T>
Kind<T> OneOf(const Words<T>& words) {
  std::vector<std::string> names;
  for (const auto& word : words) names.push_back(word.first);
  auto parse = [words, names](absl::string_view text) -> absl::StatusOr<T> {
    const absl::StatusOr<size_t> position = FindWord(names, text);
    if (!position.ok()) return position.status();
    return words[*position].second;
  };
  auto print = [words](const T& value) -> Json {
    for (const auto& word : words) {
      if (word.second == value) return word.first;
    }
    return nullptr;
  };
  return ScalarKind<T>("word", JoinWords(names), std::move(parse), std::move(print));
}

// A number in a type that is narrower than the YAML's.
template <typename T>
Kind<T> As(Kind<int64_t> wide) {
  auto read = [wide](Reader& reader, const YAML::Node& node, T& value) {
    int64_t number = static_cast<int64_t>(value);
    wide.read(reader, node, number);
    value = static_cast<T>(number);
  };
  return {wide.type, wide.limit, std::move(read), [](const T& value) -> Json { return value; }, {}};
}

// A list, of scalars or of mappings.
template <typename T>
Kind<std::vector<T>> ListOf(Kind<T> kind, const std::string& plural) {
  auto read = [kind, plural](Reader& reader, const YAML::Node& node, std::vector<T>& values) {
    values.clear();
    reader.Sequence(node, plural,
                    [&](const YAML::Node& element) { kind.read(reader, element, values.emplace_back()); });
  };
  auto print = [kind](const std::vector<T>& values) {
    Json list = Json::array();
    for (const T& value : values) list.push_back(kind.print(value));
    return list;
  };
  std::vector<KeyDoc> keys = kind.keys;
  return {"list of " + plural, kind.limit, std::move(read), std::move(print), std::move(keys)};
}

// A list of scalars that may also be one text with commas, as an environment variable gives it.
Kind<std::vector<std::string>> CommaList(Kind<std::string> kind, std::string plural);
// Texts by names that are free.
Kind<std::map<std::string, std::string>> TextMap(size_t most);

}  // namespace sluice::config
