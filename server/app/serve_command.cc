#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "app/commands.h"
#include "app/config_check.h"
#include "app/config_source.h"
#include "app/exit_code.h"
#include "app/process.h"
#include "app/reload_status.h"
#include "app/reloader.h"
#include "app/signals.h"
#include "app/stderr_log.h"
#include "app/termination_log.h"
#include "base/log.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "SIGTERM drains: nothing new is taken, apps finish what they hold, the rest is handed back. A second one changes\n"
    "nothing; SIGINT twice quits at once. The exit code is 0 if all was settled or handed back, else 75.\n"
    "\n"
    "Examples:\n"
    "  sluice serve --config orders.yaml\n"
    "  sluice serve -c orders.yaml --nats nats://127.0.0.1:4222 --log-format text\n"
    "  SLUICE_CONFIG=orders.yaml sluice serve --listen-tcp 127.0.0.1:7070\n";

// The report of the drain, on its way from the loop to main's thread.
class ReportSlot {
 public:
  void Put(const core::Daemon::Report& report) {
    absl::MutexLock lock(&mutex_);
    report_ = report;
  }
  std::optional<core::Daemon::Report> Get() const {
    absl::MutexLock lock(&mutex_);
    return report_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::optional<core::Daemon::Report> report_ ABSL_GUARDED_BY(mutex_);
};

int FailStart(absl::string_view text) {
  std::fprintf(stderr, "%s\n", std::string(text).c_str());
  WriteTerminationLog(text);
  return kExitConfiguration;
}

int FailConfiguration(const std::vector<config::Problem>& problems) {
  PrintProblems(problems);
  std::string text;
  for (const config::Problem& problem : problems) absl::StrAppend(&text, problem.ToString(), "\n");
  WriteTerminationLog(text);
  return kExitConfiguration;
}

// Leaves everything as it is: whoever asks twice does not want to wait.
[[noreturn]] void QuitAtOnce(Process& process, std::unique_ptr<StderrLog> log) {
  const std::string left = process.Leftovers();
  base::LogError("interrupted twice: quitting without the rest of the drain; what is left waits for its ack wait",
                 {{"left", left}});
  WriteTerminationLog(absl::StrCat("interrupted twice; left: ", left, "\n"));
  log = nullptr;
  _exit(kExitUnsettled);
}

// Waits for the signal to end, then for the drain. Keeps the configuration current all the while: a drain that has lost
// its login to NATS needs the next one.
core::Daemon::Report AwaitDrained(Signals& signals, Process& process, Reloader& reloader,
                                  std::unique_ptr<StderrLog>& log) {
  ReportSlot slot;
  bool interrupted = false;
  bool terminating = false;
  while (true) {
    const int signal = signals.Wait(reloader.interval());
    if (const std::optional<core::Daemon::Report> report = slot.Get()) return *report;
    if (signal == Signals::kWoken) continue;
    if (signal == Signals::kNothing || signal == Signals::kReload) {
      if (signal == Signals::kNothing) reloader.Look();
      if (signal == Signals::kReload) reloader.Reload("SIGHUP");
      continue;
    }
    if (signal == SIGINT && interrupted) QuitAtOnce(process, std::move(log));
    interrupted = interrupted || signal == SIGINT;
    base::LogInfo(terminating ? "already terminating" : "terminating",
                  {{"signal", absl::StrCat("SIG", sigabbrev_np(signal))}});
    if (terminating) continue;
    terminating = true;
    process.Terminate([&slot, &signals](const core::Daemon::Report& report) {
      slot.Put(report);
      signals.Wake();
    });
  }
}

// The drain has told for each verdict whether the server has it; closing the connection cannot change that.
int Conclude(const core::Daemon::Report& report, const absl::Status& closed) {
  if (!closed.ok()) base::LogInfo("closed without NATS", {{"err", closed.ToString()}});
  const std::string text = report.total.ToString();
  const bool settled = report.total.unsettled == 0;
  if (settled) {
    base::LogInfo("all drained", {{"report", text}});
  } else {
    base::LogError("drained, but not all is settled: what is left waits for its ack wait", {{"report", text}});
  }
  WriteTerminationLog(absl::StrCat(settled ? "drained: " : "not all is settled: ", text, "\n"));
  return settled ? kExitOk : kExitUnsettled;
}

int Serve(const ConfigSource& source) {
  Signals signals;  // before there is any thread

  const config::Loaded loaded = source.Load();
  if (!loaded.ok()) return FailConfiguration(loaded.problems);

  auto log = std::make_unique<StderrLog>(loaded.config.log);
  LogLint(loaded);
  ReloadStatus reloads(absl::Now());
  Process process(
      loaded.config, [&signals] { signals.Terminate(); }, &reloads);
  if (const absl::Status status = process.Start(); !status.ok()) {
    return FailStart(absl::StrCat(source.File(), ": ", status.message()));
  }
  malloc_trim(0);  // what reading the configuration took, some megabytes
  Reloader reloader(&source, loaded.config, &process, log.get(), &reloads);
  const core::Daemon::Report report = AwaitDrained(signals, process, reloader, log);
  return Conclude(report, process.Close());
}

}  // namespace

void AddServeCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const serve = sluice.add_subcommand("serve", "Runs the daemon");
  serve->footer(kFooter);
  const auto source = std::make_shared<ConfigSource>();
  source->AddFlags(serve);
  serve->callback([source, &exit_code] { exit_code = Serve(*source); });
}

}  // namespace sluice::app
