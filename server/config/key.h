#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/kind.h"

namespace sluice::config {

// How a value is shown in documentation, as its default.
std::string DefaultText(const Json& value);

// One key of a mapping that describes an `S`: declared once, it reads, prints, and documents itself. `member` is where
// the value lives: a pointer to a member, or At().
template <typename S>
class Key {
 public:
  template <typename Member, typename T>
  Key(std::string name, Member member, Kind<T> kind, std::string meaning) {
    doc_ = {std::move(name), kind.type, "", kind.limit, std::move(meaning), false};
    keys_ = kind.keys;
    read_ = [member, kind](Reader& reader, const YAML::Node& node, S& object) {
      Read(reader, node, kind, std::invoke(member, object));
    };
    print_ = [member, kind](const S& object) { return Print(kind, std::invoke(member, object)); };
    doc_.default_value = DefaultText(print_(S()));
  }

  Key Required() && {
    doc_.required = true;
    doc_.default_value = "required";
    return std::move(*this);
  }
  // For defaults that are not a value: "half of `expires`".
  Key DefaultIs(std::string words) && {
    doc_.default_value = std::move(words);
    return std::move(*this);
  }

  const KeyDoc& doc() const { return doc_; }
  void Read(Reader& reader, const YAML::Node& node, S& object) const { read_(reader, node, object); }
  // null: nothing to print.
  Json Print(const S& object) const { return print_(object); }

  // Itself, or the keys of the mapping that it is.
  std::vector<KeyDoc> Docs() const {
    if (keys_.empty()) return {doc_};
    const std::string prefix = doc_.type == "mapping" ? "." : "[].";
    std::vector<KeyDoc> docs = keys_;
    for (KeyDoc& doc : docs) doc.path = absl::StrCat(doc_.path, prefix, doc.path);
    return docs;
  }

 private:
  template <typename T>
  static void Read(Reader& reader, const YAML::Node& node, const Kind<T>& kind, T& value) {
    kind.read(reader, node, value);
  }
  template <typename T>
  static void Read(Reader& reader, const YAML::Node& node, const Kind<T>& kind, std::optional<T>& value) {
    kind.read(reader, node, value.emplace());
  }
  template <typename T>
  static Json Print(const Kind<T>& kind, const T& value) {
    return kind.print(value);
  }
  template <typename T>
  static Json Print(const Kind<T>& kind, const std::optional<T>& value) {
    return value.has_value() ? kind.print(*value) : Json();
  }

  KeyDoc doc_;
  std::vector<KeyDoc> keys_;
  std::function<void(Reader&, const YAML::Node&, S&)> read_;
  std::function<Json(const S&)> print_;
};

// The member of a member.
template <typename Outer, typename Inner>
auto At(Outer outer, Inner inner) {
  return [ outer, inner ](auto& object) -> auto& { return std::invoke(inner, std::invoke(outer, object)); };
}

// A mapping with these keys and no others.
template <typename S>
Kind<S> MappingOf(std::vector<Key<S>> keys) {
  Kind<S> kind;
  kind.type = "mapping";
  std::vector<KeyDoc> own;
  for (const Key<S>& key : keys) {
    own.push_back(key.doc());
    const std::vector<KeyDoc> docs = key.Docs();
    kind.keys.insert(kind.keys.end(), docs.begin(), docs.end());
  }
  kind.read = [keys, own](Reader& reader, const YAML::Node& node, S& object) {
    reader.Mapping(node, own,
                   [&](size_t position, const YAML::Node& value) { keys[position].Read(reader, value, object); });
  };
  kind.print = [keys](const S& object) {
    Json mapping = Json::object();
    for (const Key<S>& key : keys) {
      Json value = key.Print(object);
      if (!value.is_null()) mapping[key.doc().path] = std::move(value);
    }
    return mapping;
  };
  return kind;
}

}  // namespace sluice::config
