#include "config/places.h"

namespace sluice::config {

Place Places::Nearest(std::string path) const {
  while (!path.empty() && !Has(path)) path = ParentPath(path);
  const auto place = places_.find(path);
  return place == places_.end() ? Place() : place->second;
}

std::string ParentPath(const std::string& path) {
  const size_t end = path.find_last_of(".[");
  return end == std::string::npos ? "" : path.substr(0, end);
}

}  // namespace sluice::config
