#pragma once

#include <vector>

#include "config/config.h"
#include "config/places.h"
#include "config/problem.h"
#include "config/rule.h"

namespace sluice::config {

// The rules that a file is judged by alone: those of Lint(), and those that make it fail to load.
std::vector<Rule> LintRules();

// What in `config`, which has loaded well, breaks a rule; in the order of the file. What a consumer's `config` has
// beyond `places` is taken to be what JetStream has, and told so.
std::vector<Problem> Lint(const Config& config, const Places& places);

// Where a person looks for a key of consumers[i]: at the key or, if it was not given, at the consumer's name.
Place PlaceInConsumer(const Places& places, size_t i, const std::string& key);

}  // namespace sluice::config
