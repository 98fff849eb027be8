#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace sluice::config {

// What a running daemon would have to change to be as another configuration wants it.
struct Changes {
  bool login = false;              // how it connects to NATS
  bool log = false;                // what it logs
  std::vector<std::string> fixed;  // keys that cannot change while it runs, in the order of the schema
};

Changes Compare(const Config& running, const Config& wanted);

// The keys that can, as docs/configuration.md lists them. One that ends in `.` stands for all below it.
const std::vector<std::string>& LiveKeys();

}  // namespace sluice::config
