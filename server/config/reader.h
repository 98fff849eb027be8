#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "config/environment.h"
#include "config/places.h"
#include "config/problem.h"
#include "config/rule.h"

namespace sluice::config {

// What documentation and error messages say about one key.
struct KeyDoc {
  std::string path;           // as in "consumers[].pull.batch"; of one mapping's own keys: the name
  std::string type;           // "duration"
  std::string default_value;  // as it would be written
  std::string limit;          // "1..4096"; empty: none
  std::string meaning;
  bool required = false;
};

// The walk through one YAML tree: knows where it is, expands values, and collects every problem with its place. Kinds
// (kind.h) read values through it. One thread; lives for one parse.
class Reader {
 public:
  // `origins`: values that did not come from `file` but were put into the tree, by the path of their key: what to call
  // the place. `all_keys`: to point at the right place for a key that stands in a wrong one.
  Reader(std::string file, std::map<std::string, std::string> origins, std::vector<KeyDoc> all_keys,
         const Environment* environment);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // The text of a scalar, expanded; nothing, and a problem, if it is none. `type` is what it should be.
  std::optional<std::string> Scalar(const YAML::Node& node, absl::string_view type);

  // Calls `visit` for each key that is one of `known`, by its position there; complains about unknown, repeated and
  // missing keys. An empty value is a mapping without keys.
  void Mapping(const YAML::Node& node, absl::Span<const KeyDoc> known,
               absl::FunctionRef<void(size_t, const YAML::Node&)> visit);
  // The same for keys that may be any text.
  void FreeMapping(const YAML::Node& node, absl::FunctionRef<void(const std::string&, const YAML::Node&)> visit);
  // Calls `visit` for each element. `type` is what it should be a list of.
  void Sequence(const YAML::Node& node, absl::string_view type, absl::FunctionRef<void(const YAML::Node&)> visit);

  // Adds a problem with the value that is being read.
  void Complain(absl::string_view text);
  // Whether the key was there.
  bool Given(const std::string& path) const { return places_.Has(path); }
  // Adds a problem with a key that was read before, unless it has one; if it is not given, at what it would be part of.
  void ComplainAt(const std::string& path, absl::string_view text);
  // The same for a key that breaks a rule, as it `is` so.
  void ComplainAt(const std::string& path, const Rule& rule, absl::string_view is);

  // In the order of their places.
  std::vector<Problem> TakeProblems();
  // Where all that was read stands.
  Places TakePlaces() { return std::move(places_); }

 private:
  class Step;  // into one key or element, and back

  Place PlaceOf(const YAML::Mark& mark) const;
  void Add(const Place& place, std::string text);
  void ComplainAboutUnknownKey(const std::string& key, const YAML::Mark& mark, absl::Span<const KeyDoc> known);
  void WalkKeys(const YAML::Node& node, absl::string_view type,
                absl::FunctionRef<void(const std::string&, const YAML::Node& key, const YAML::Node& value)> visit);

  const std::string file_;
  const std::map<std::string, std::string> origins_;
  const std::vector<KeyDoc> all_keys_;
  const Environment* const environment_;

  std::string path_;              // of what is being read
  Place value_;                   // of what is being read
  Places places_;                 // of all that was read
  std::set<std::string> faulty_;  // paths of values with problems
  std::vector<Problem> problems_;
};

}  // namespace sluice::config
