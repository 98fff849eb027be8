#include "test/integration/app_process.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "test/integration/await.h"
#include "test/integration/told.h"

namespace sluice::integration {

AppProcess::AppProcess(const std::string& dir, const std::string& address, const std::string& consumer,
                       const AppOptions& options)
    : told_path_(absl::StrCat(dir, "/told")),
      process_({AppBinary(), "--address", address, "--consumer", consumer, "--handled", HandledPath(dir), "--told",
                told_path_, "--mode", options.mode, "--work-ms", absl::StrCat(options.work_ms), "--concurrency",
                absl::StrCat(options.concurrency), "--credit", absl::StrCat(options.credit)},
               absl::StrCat(dir, "/app.log"), absl::StrCat(dir, "/app.log")) {}

void AppProcess::Terminate() { process_.Signal(SIGTERM); }

void AppProcess::Kill() {
  process_.Signal(SIGKILL);
  process_.Wait(absl::InfiniteDuration());
}

template <typename Matches>
int64_t AppProcess::Await(Matches matches, int64_t since) const {
  int64_t at = 0;
  Eventually([&] {
    for (const Told& told : ReadTold(told_path_)) {
      if (told.pid != pid() || told.at_us < since || !matches(told.what)) continue;
      at = told.at_us;
      return true;
    }
    return false;
  });
  return at;
}

int64_t AppProcess::AwaitTold(const std::string& what, int64_t since) const {
  return Await([&](const std::string& told) { return told == what; }, since);
}

int64_t AppProcess::AwaitOpened(int64_t since) const {
  return Await([](const std::string& told) { return told != "connecting" && told != "closed" && told != "draining"; },
               since);
}

}  // namespace sluice::integration
