#pragma once

#include <memory>
#include <vector>

#include "config/config.h"
#include "config/kind.h"

namespace sluice::config {

// Every key of the file, declared once: its name, type, default, limits and meaning. Parsing, printing, suggestions for
// misspelt keys and docs/configuration.md all follow this one table.
//
// Made for whoever uses it, and gone with them: it is as large as all else on an idle daemon's heap, and a daemon looks
// at it when it starts and when its file has changed.
std::unique_ptr<const Kind<Config>> Schema();

}  // namespace sluice::config
