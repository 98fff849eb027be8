#pragma once

#include "config/config.h"
#include "config/reader.h"

namespace sluice::config {

// Complains about values that are good on their own but not together. `config` has been read through `reader`.
void Check(const Config& config, Reader& reader);

}  // namespace sluice::config
