#include "config/changes.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/schema.h"

namespace sluice::config {
namespace {

// Every value by its path. A list that became longer or shorter is one value.
using Flat = std::vector<std::pair<std::string, Json>>;

void Flatten(const Json& value, const std::string& path, Flat* flat) {
  if (value.is_object()) {
    for (const auto& [key, element] : value.items()) {
      Flatten(element, path.empty() ? key : absl::StrCat(path, ".", key), flat);
    }
  } else if (value.is_array() && !value.empty() && value[0].is_object()) {
    flat->emplace_back(path, value.size());
    for (size_t i = 0; i < value.size(); ++i) Flatten(value[i], absl::StrCat(path, "[", i, "]"), flat);
  } else {
    flat->emplace_back(path, value);
  }
}

Flat FlatOf(const Config& config) {
  Flat flat;
  Flatten(Schema()->print(config), "", &flat);
  return flat;
}

bool IsLive(absl::string_view path) {
  return std::any_of(LiveKeys().begin(), LiveKeys().end(), [path](const std::string& key) {
    return key.back() == '.' ? absl::StartsWith(path, key) : path == key;
  });
}

// Paths of which one has a value that the other has not, or has otherwise.
void AppendDifferences(const Flat& one, const Flat& other, std::vector<std::string>* paths) {
  const std::map<std::string, Json> values(other.begin(), other.end());
  for (const auto& [path, value] : one) {
    const auto found = values.find(path);
    const bool is_same = found != values.end() && found->second == value;
    if (!is_same && std::find(paths->begin(), paths->end(), path) == paths->end()) paths->push_back(path);
  }
}

}  // namespace

const std::vector<std::string>& LiveKeys() {
  static const auto* const keys = new std::vector<std::string>{"nats.name",
                                                               "nats.user",
                                                               "nats.user_file",
                                                               "nats.password",
                                                               "nats.password_file",
                                                               "nats.token",
                                                               "nats.token_file",
                                                               "nats.credentials_file",
                                                               "nats.nkey_seed_file",
                                                               "nats.tls.",
                                                               "nats.reconnect_wait",
                                                               "log.",
                                                               "reload.",
                                                               "deployment."};
  return *keys;
}

Changes Compare(const Config& running, const Config& wanted) {
  Changes changes;
  changes.login = !(running.nats == wanted.nats);
  changes.log = !(running.log == wanted.log);
  std::vector<std::string> paths;
  const Flat before = FlatOf(running);
  const Flat after = FlatOf(wanted);
  AppendDifferences(after, before, &paths);
  AppendDifferences(before, after, &paths);
  // Its secrets are not printed.
  const bool servers_differ = running.nats.servers != wanted.nats.servers;
  if (servers_differ && std::find(paths.begin(), paths.end(), "nats.servers") == paths.end()) {
    paths.push_back("nats.servers");
  }
  std::copy_if(paths.begin(), paths.end(), std::back_inserter(changes.fixed),
               [](const std::string& path) { return !IsLive(path); });
  return changes;
}

}  // namespace sluice::config
