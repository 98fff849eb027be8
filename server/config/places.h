#pragma once

#include <map>
#include <string>
#include <utility>

namespace sluice::config {

// Where something stands.
struct Place {
  std::string where{};  // the file, or the flag or variable that the value came from
  int line = 0;         // from 1; 0: it has no place in a file
  int column = 0;       // from 1
};

// Where each key of a configuration stands, by its path ("consumers[0].pull.batch"). "" is the whole.
class Places {
 public:
  // The first one counts.
  void Add(const std::string& path, Place place) { places_.emplace(path, std::move(place)); }

  // Whether the key was given.
  bool Has(const std::string& path) const { return places_.count(path) != 0; }
  // Of the key; if it was not given, of what it would be part of.
  Place Nearest(std::string path) const;

 private:
  std::map<std::string, Place> places_;
};

// "a.b[0]" -> "a.b" -> "a" -> "".
std::string ParentPath(const std::string& path);

}  // namespace sluice::config
