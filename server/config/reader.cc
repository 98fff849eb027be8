#include "config/reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/nearest.h"

namespace sluice::config {
namespace {

absl::string_view TypeName(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return node.IsScalar() ? "a value" : "nothing";
}

// A tag such as `!secret` asks for something that is not done; those of the core schema say no more than the key does.
bool HasForeignTag(const YAML::Node& node) {
  const std::string& tag = node.Tag();
  return !tag.empty() && tag != "?" && tag != "!" && !absl::StartsWith(tag, "tag:yaml.org,2002:");
}

std::vector<std::string> Names(absl::Span<const KeyDoc> keys) {
  std::vector<std::string> names;
  for (const KeyDoc& key : keys) names.push_back(key.path);
  return names;
}

}  // namespace

// A key's place is where it stands; that of a problem with its value is where the value stands. yaml-cpp gives no place
// to an absent value, and no usable one to an empty one.
class Reader::Step {
 public:
  Step(Reader* reader, const std::string& path, const YAML::Mark& key, const YAML::Node& value)
      : reader_(reader), outer_path_(std::exchange(reader->path_, path)), outer_value_(reader->value_) {
    const Place place = reader->PlaceOf(key);
    reader->places_.Add(path, place);
    reader->value_ = value.IsNull() ? place : reader->PlaceOf(value.Mark());
  }
  ~Step() {
    reader_->path_ = outer_path_;
    reader_->value_ = outer_value_;
  }

 private:
  Reader* const reader_;
  const std::string outer_path_;
  const Place outer_value_;
};

Reader::Reader(std::string file, std::map<std::string, std::string> origins, std::vector<KeyDoc> all_keys,
               const Environment* environment)
    : file_(std::move(file)),
      origins_(std::move(origins)),
      all_keys_(std::move(all_keys)),
      environment_(environment),
      value_{file_, 1, 1} {
  places_.Add("", value_);
}

std::optional<std::string> Reader::Scalar(const YAML::Node& node, absl::string_view type) {
  if (!node.IsScalar()) {
    Complain(absl::StrCat("expected a ", type, ", found ", TypeName(node), "; see docs/configuration.md"));
    return std::nullopt;
  }
  if (HasForeignTag(node)) {
    Complain(absl::StrCat("the tag ", Quoted(node.Tag()), " is not supported; remove it, or use ${VARIABLE}"));
    return std::nullopt;
  }
  absl::StatusOr<std::string> text = Expand(node.Scalar(), *environment_);
  if (!text.ok()) {
    Complain(text.status().message());
    return std::nullopt;
  }
  return *std::move(text);
}

void Reader::WalkKeys(const YAML::Node& node, absl::string_view type,
                      absl::FunctionRef<void(const std::string&, const YAML::Node&, const YAML::Node&)> visit) {
  if (node.IsNull()) return;
  if (!node.IsMap()) {
    Complain(absl::StrCat("expected ", type, ", found ", TypeName(node), "; write 'key: value' lines, indented"));
    return;
  }
  std::map<std::string, int> lines;
  for (const auto& entry : node) {
    const YAML::Node& key = entry.first;
    const Place place = PlaceOf(key.Mark());
    if (!key.IsScalar()) {
      Add(place, "a key must be a word; quote it if it is meant to be one");
      continue;
    }
    const auto [first, is_new] = lines.emplace(key.Scalar(), place.line);
    if (!is_new) {
      Add(place,
          absl::StrCat("duplicate key ", Quoted(key.Scalar()), ", first on line ", first->second, "; remove one"));
      continue;
    }
    visit(key.Scalar(), key, entry.second);
  }
}

void Reader::Mapping(const YAML::Node& node, absl::Span<const KeyDoc> known,
                     absl::FunctionRef<void(size_t, const YAML::Node&)> visit) {
  std::vector<bool> seen(known.size());
  WalkKeys(node, absl::StrCat("a mapping with the keys ", absl::StrJoin(Names(known), ", ")),
           [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
             const auto found =
                 std::find_if(known.begin(), known.end(), [&](const KeyDoc& k) { return k.path == name; });
             if (found == known.end()) return ComplainAboutUnknownKey(name, key.Mark(), known);
             const size_t position = found - known.begin();
             seen[position] = true;
             const Step step(this, path_.empty() ? name : absl::StrCat(path_, ".", name), key.Mark(), value);
             visit(position, value);
           });
  if (!node.IsNull() && !node.IsMap()) return;  // complained about already
  for (size_t i = 0; i < known.size(); ++i) {
    if (seen[i] || !known[i].required) continue;
    Complain(absl::StrCat("the key '", known[i].path, "' is missing; add it"));
  }
}

void Reader::FreeMapping(const YAML::Node& node, absl::FunctionRef<void(const std::string&, const YAML::Node&)> visit) {
  WalkKeys(node, "a mapping", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
    const Step step(this, absl::StrCat(path_, ".", name), key.Mark(), value);
    visit(name, value);
  });
}

void Reader::Sequence(const YAML::Node& node, absl::string_view type,
                      absl::FunctionRef<void(const YAML::Node&)> visit) {
  if (!node.IsSequence()) {
    Complain(absl::StrCat("expected a list of ", type, ", found ", TypeName(node), "; start each with '- '"));
    return;
  }
  size_t position = 0;
  for (const YAML::Node& element : node) {
    const Step step(this, absl::StrCat(path_, "[", position++, "]"), element.Mark(), element);
    visit(element);
  }
}

void Reader::Complain(absl::string_view text) {
  faulty_.insert(path_);
  Add(value_, path_.empty() ? std::string(text) : absl::StrCat(path_, ": ", text));
}

void Reader::ComplainAt(const std::string& path, absl::string_view text) {
  if (faulty_.count(path) != 0) return;
  Add(places_.Nearest(path), absl::StrCat(path, ": ", text));
}

void Reader::ComplainAt(const std::string& path, const Rule& rule, absl::string_view is) {
  if (faulty_.count(path) == 0) problems_.push_back(Broken(rule, places_.Nearest(path), path, is));
}

std::vector<Problem> Reader::TakeProblems() {
  SortByPlace(problems_);
  return std::exchange(problems_, {});
}

Place Reader::PlaceOf(const YAML::Mark& mark) const {
  for (std::string path = path_; !path.empty(); path = ParentPath(path)) {
    const auto origin = origins_.find(path);
    if (origin != origins_.end()) return {origin->second, 0, 0};
  }
  if (mark.is_null()) return value_;
  return {file_, mark.line + 1, mark.column + 1};
}

void Reader::Add(const Place& place, std::string text) {
  problems_.push_back({place.where, place.line, place.column, std::move(text)});
}

void Reader::ComplainAboutUnknownKey(const std::string& key, const YAML::Mark& mark, absl::Span<const KeyDoc> known) {
  std::string meant = base::Nearest(key, Names(known));
  if (meant.empty()) {
    const auto elsewhere = std::find_if(all_keys_.begin(), all_keys_.end(), [&](const KeyDoc& k) {
      return absl::EndsWith(k.path, absl::StrCat(".", key));
    });
    if (elsewhere != all_keys_.end()) meant = elsewhere->path;
  }
  const std::string what = absl::StrCat("unknown key ", Quoted(key));
  Add(PlaceOf(mark), meant.empty() ? absl::StrCat(what, "; known here: ", absl::StrJoin(Names(known), ", "))
                                   : absl::StrCat(what, ", did you mean '", meant, "'?"));
}

}  // namespace sluice::config
