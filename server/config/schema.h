#pragma once

#include <vector>

#include "config/config.h"
#include "config/kind.h"

namespace sluice::config {

// Every key of the file, declared once: its name, type, default, limits and meaning. Parsing, printing, suggestions for
// misspelt keys and docs/configuration.md all follow this one table.
const Kind<Config>& Schema();

}  // namespace sluice::config
