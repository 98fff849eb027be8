#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "base/log.h"
#include "config/places.h"
#include "config/problem.h"

namespace sluice::config {

// A setting that is well-formed, and yet loses, stalls or repeats messages. Every rule has a row in
// docs/configuration.md.
struct Rule {
  const char* name;         // "max-deliver-one"
  base::Severity severity;  // kError: it cannot work; kWarning: it works until something else happens
  const char* why;          // what happens, as a clause
  const char* set;          // what to set instead, as a clause
};

// What breaks `rule`: the key with this path, which `is` so: "is 1".
Problem Broken(const Rule& rule, const Place& place, absl::string_view path, absl::string_view is);

}  // namespace sluice::config
