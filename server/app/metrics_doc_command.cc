#include <cstdio>

#include "admin/metrics.h"
#include "app/commands.h"
#include "app/exit_code.h"

namespace sluice::app {

void AddMetricsDocCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("metrics-doc", "Prints docs/metrics.md");
  command->group("");  // hidden
  command->callback([&exit_code] {
    std::fputs(admin::MetricsPage().c_str(), stdout);
    exit_code = kExitOk;
  });
}

}  // namespace sluice::app
