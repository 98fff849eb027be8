#include "app/config_check.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "app/connection_options.h"
#include "app/exit_code.h"
#include "app/online_lint.h"
#include "app/table.h"
#include "base/log.h"
#include "config/lint.h"
#include "config/print.h"
#include "jetstream/survey.h"

namespace sluice::app {
namespace {

using config::Json;
using config::Problem;

struct Judgement {
  std::vector<Problem> problems;
  std::optional<jetstream::Survey> survey;  // if the server was looked at
};

Judgement Judge(const config::Loaded& loaded, const CheckOptions& options) {
  if (!loaded.ok()) return {loaded.problems, std::nullopt};
  if (!options.online) return {config::Lint(loaded.config, loaded.places), std::nullopt};
  const absl::StatusOr<jetstream::Survey> survey =
      jetstream::TakeSurvey(ToConnectionOptions(loaded.config.nats), SurveyQuestions(loaded.config), options.timeout);
  return {LintOnline(loaded, survey), survey.ok() ? std::make_optional(*survey) : std::nullopt};
}

// Of a configuration that is good.
std::string Summary(const std::string& file, const config::Config& config, const Judgement& judgement) {
  std::string text = absl::StrCat(file, " is good");
  if (judgement.survey.has_value()) {
    const jetstream::Survey& survey = *judgement.survey;
    const bool has_version = !survey.server_version.empty();
    absl::StrAppend(&text, has_version ? " for nats-server " : " for the nats-server", survey.server_version, " at ",
                    survey.url);
  }
  if (const size_t warnings = judgement.problems.size(); warnings > 0) {
    absl::StrAppend(&text, ", with ", warnings, warnings == 1 ? " warning" : " warnings");
  }
  Table table({"CONSUMER", "STREAM", "DURABLE", "MANAGE"});
  const char* const manage[] = {"ensure", "verify", "off"};
  for (const config::Consumer& consumer : config.consumers) {
    const core::ConsumerOptions& options = consumer.options;
    table.AddRow({options.name, options.stream, options.durable, manage[static_cast<int>(consumer.manage)]});
  }
  return absl::StrCat(text, ".\n\n", table.ToString());
}

Json ToJson(const std::string& file, bool ok, const Judgement& judgement) {
  Json result = {{"file", file}, {"ok", ok}, {"problems", Json::array()}};
  if (judgement.survey.has_value()) {
    result["server"] = {{"url", judgement.survey->url}, {"version", judgement.survey->server_version}};
  }
  for (const Problem& problem : judgement.problems) {
    Json entry = {{"severity", problem.is_warning() ? "warning" : "error"}};
    if (!problem.rule.empty()) entry["rule"] = problem.rule;
    entry.update(
        {{"where", problem.where}, {"line", problem.line}, {"column", problem.column}, {"text", problem.text}});
    result["problems"].push_back(std::move(entry));
  }
  return result;
}

}  // namespace

int CheckConfig(const ConfigSource& source, const CheckOptions& options) {
  const config::Loaded loaded = source.Load();
  const Judgement judgement = Judge(loaded, options);
  const bool ok = std::all_of(judgement.problems.begin(), judgement.problems.end(),
                              [&](const Problem& problem) { return problem.is_warning() && !options.strict; });
  if (options.json) {
    const Json result = ToJson(source.File(), ok, judgement);
    std::puts(result.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    PrintProblems(judgement.problems);
    if (ok) std::fputs(Summary(source.File(), loaded.config, judgement).c_str(), stdout);
  }
  return ok ? kExitOk : kExitConfiguration;
}

void LogLint(const config::Loaded& loaded) {
  for (const Problem& problem : config::Lint(loaded.config, loaded.places)) {
    base::LogWarning("a setting may lose, stall or repeat messages",
                     {{"rule", problem.rule}, {"at", problem.Position()}, {"why", problem.text}});
  }
}

}  // namespace sluice::app
