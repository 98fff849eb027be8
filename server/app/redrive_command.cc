#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "app/commands.h"
#include "app/config_source.h"
#include "app/connection_options.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "app/table.h"
#include "config/print.h"
#include "core/subject.h"
#include "jetstream/redrive.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "Puts the dead letters of one consumer back on their original subjects, with their original headers, and removes\n"
    "each from the dead letters once its stream has stored it. EVERY consumer of that stream gets the message again,\n"
    "not only this one. It may be run again at any time, also after a kill in the middle: within the stream's "
    "duplicate\n"
    "window nothing is put back twice. No daemon is needed.\n"
    "Exit codes: 0 done; 69 no NATS there; 75 not all could be put back; 78 configuration, or nothing to redrive "
    "from.\n"
    "\n"
    "Examples:\n"
    "  sluice redrive -c orders.yaml --consumer orders --dry-run\n"
    "  sluice redrive -c orders.yaml --consumer orders --limit 10\n"
    "  sluice redrive -c orders.yaml --consumer orders --filter 'orders.eu.*' --output json\n";
constexpr absl::Duration kProgress = absl::Seconds(1);

struct Options {
  ConfigSource source;
  std::string consumer;
  std::string filter;
  uint64_t limit = 0;
  bool dry_run = false;
  bool json = false;
  absl::Duration timeout = absl::Seconds(5);
};

int Fail(const std::string& what, int exit_code) {
  std::fprintf(stderr, "sluice redrive: %s\n", what.c_str());
  return exit_code;
}

const config::Consumer* Find(const config::Config& config, const std::string& name) {
  const auto it = std::find_if(config.consumers.begin(), config.consumers.end(),
                               [&](const config::Consumer& consumer) { return consumer.options.name == name; });
  return it == config.consumers.end() ? nullptr : &*it;
}

std::string Names(const config::Config& config) {
  return absl::StrJoin(config.consumers, ", ", [](std::string* out, const config::Consumer& consumer) {
    absl::StrAppend(out, consumer.options.name);
  });
}

// A line a second on standard error.
class Progress {
 public:
  void Show(const jetstream::RedriveReport& report) {
    const absl::Time now = absl::Now();
    if (now < next_) return;
    next_ = now + kProgress;
    std::fprintf(stderr, "%s put back, %s left alone\n", WithCommas(report.redriven).c_str(),
                 WithCommas(report.filtered + report.num_unusable).c_str());
  }

 private:
  absl::Time next_ = absl::Now() + kProgress;
};

std::string TableView(const jetstream::RedriveReport& report, bool dry_run) {
  Table table({"SUBJECT", dry_run ? "WOULD BE PUT BACK" : "PUT BACK"});
  for (const auto& [subject, count] : report.by_subject) table.AddRow({subject, WithCommas(count)});
  if (report.by_subject.size() != 1) table.AddRow({"total", WithCommas(report.redriven)});
  std::string text = table.ToString();
  const auto add = [&](uint64_t count, const char* what) {
    if (count > 0) absl::StrAppend(&text, WithCommas(count), " ", what, "\n");
  };
  add(report.repeated, "of them had been put back by an earlier run, which had ended before it removed them");
  add(report.filtered, "left alone: the filter does not let them through");
  add(report.num_unusable, "left alone: they cannot be put back");
  return text;
}

std::string JsonView(const Options& options, const jetstream::RedriveReport& report, const absl::Status& status) {
  const config::Json json = {
      {"consumer", options.consumer},    {"dead_letter_stream", report.dead_letter_stream},
      {"dry_run", options.dry_run},      {"redriven", report.redriven},
      {"repeated", report.repeated},     {"filtered", report.filtered},
      {"of_others", report.of_others},   {"unusable", report.num_unusable},
      {"by_subject", report.by_subject}, {"error", status.ok() ? "" : std::string(status.message())}};
  return json.dump(2, ' ', false, config::Json::error_handler_t::replace) + "\n";
}

int ExitCodeOf(const absl::Status& status, const jetstream::RedriveReport& report) {
  if (status.ok()) return report.num_unusable == 0 ? kExitOk : kExitUnsettled;
  if (absl::IsNotFound(status) || absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status)) {
    return kExitConfiguration;
  }
  const bool never_began = report.dead_letter_stream.empty();
  return never_began ? kExitUnavailable : kExitUnsettled;
}

int RunRedrive(const Options& options) {
  const config::Loaded loaded = options.source.Load();
  if (!loaded.ok()) {
    PrintProblems(loaded.problems);
    return kExitConfiguration;
  }
  const config::Consumer* const consumer = Find(loaded.config, options.consumer);
  if (consumer == nullptr) {
    return Fail(absl::StrCat("unknown consumer '", options.consumer, "'; the configuration has ", Names(loaded.config)),
                kExitConfiguration);
  }
  if (!consumer->options.dead_letter.enabled()) {
    return Fail(
        absl::StrCat("consumer '", options.consumer, "' has no dead letters; add 'dead_letter: {subject: ...}'"),
        kExitConfiguration);
  }
  if (!options.filter.empty() && !core::IsSubjectPattern(options.filter)) {
    return Fail(
        absl::StrCat("--filter '", options.filter, "' is not a subject; write one such as orders.> or orders.*"),
        kExitConfiguration);
  }
  const jetstream::RedriveOrder order = {consumer->options.stream,
                                         consumer->options.durable,
                                         consumer->options.dead_letter.subject,
                                         options.filter,
                                         options.limit,
                                         options.dry_run};
  Progress progress;
  jetstream::RedriveReport report;
  const absl::Status status = jetstream::Redrive(
      ToConnectionOptions(loaded.config.nats), order, options.timeout,
      [&](const jetstream::RedriveReport& so_far) { progress.Show(so_far); }, &report);
  std::fputs(options.json ? JsonView(options, report, status).c_str() : TableView(report, options.dry_run).c_str(),
             stdout);
  for (const std::string& sentence : report.unusable) std::fprintf(stderr, "sluice redrive: %s\n", sentence.c_str());
  if (!status.ok()) std::fprintf(stderr, "sluice redrive: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status, report);
}

}  // namespace

void AddRedriveCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("redrive", "Puts dead letters back on their original subjects");
  command->footer(kFooter);
  const auto options = std::make_shared<Options>();
  options->source.AddFlags(command);
  command->add_option("--consumer", options->consumer, "Its name in the configuration")->required();
  command->add_option("--limit", options->limit, "Put back so many at most")->check(CLI::PositiveNumber);
  command->add_option("--filter", options->filter, "Only those of this original subject; may have wildcards")
      ->type_name("SUBJECT");
  command->add_flag("--dry-run", options->dry_run, "Say what would be put back, and change nothing");
  AddDurationFlag(command, "--timeout", options->timeout, absl::Milliseconds(100), absl::Minutes(1),
                  "How long to wait for the connection")
      ->default_str(absl::FormatDuration(options->timeout));
  AddOutputFlag(command, options->json);
  command->callback([options, &exit_code] { exit_code = RunRedrive(*options); });
}

}  // namespace sluice::app
