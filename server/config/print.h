#pragma once

#include <string>

#include "config/config.h"
#include "config/kind.h"

namespace sluice::config {

// The whole configuration with every default, secrets hidden: as YAML that Parse() reads, or as JSON of the same shape.
std::string ToYaml(const Config& config);
Json ToJson(const Config& config);

}  // namespace sluice::config
