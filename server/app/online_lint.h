#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "config/load.h"
#include "config/rule.h"
#include "jetstream/survey.h"

namespace sluice::app {

// The rules that take a look at the server.
std::vector<config::Rule> OnlineRules();

// What to ask there, consumer by consumer.
std::vector<jetstream::SurveyQuestion> SurveyQuestions(const config::Config& config);

// What in `loaded`, which is good by itself, breaks a rule on the server that `survey` tells of; in the order of the
// file. All of config::Lint() is in it, judged by what JetStream has where the file does not say.
std::vector<config::Problem> LintOnline(const config::Loaded& loaded, const absl::StatusOr<jetstream::Survey>& survey);

}  // namespace sluice::app
