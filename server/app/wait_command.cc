#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "app/admin_client.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "app/table.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "For what must start after the daemon, and cannot connect again by itself. As a postStart hook of an ordinary\n"
    "container it makes the kubelet start the next one only when apps can connect; a native sidecar has its startup\n"
    "probe for that. NATS may be away. The exit code is 0, or 69 when time runs out.\n"
    "\n"
    "Examples:\n"
    "  sluice wait\n"
    "  sluice wait --timeout 2m --address unix:///run/sluice/sluice.sock\n";

constexpr absl::Duration kPause = absl::Milliseconds(50);
constexpr absl::Duration kAnswer = absl::Seconds(1);

struct Options {
  std::string address;
  absl::Duration timeout = absl::Minutes(1);
};

int Wait(const Options& options) {
  const absl::Time start = absl::Now();
  const absl::Time latest = start + options.timeout;
  std::string why;
  while (absl::Now() < latest) {
    // A new one each time: a channel that was refused once pauses for a second.
    AdminClient client(options.address);
    const absl::StatusOr<bool> serving = client.IsServing("", std::min(kAnswer, latest - absl::Now()));
    if (serving.ok() && *serving) {
      std::printf("serving, after %s\n", ForPeople(absl::Now() - start).c_str());
      return kExitOk;
    }
    why = serving.ok() ? "it does not serve: it starts, or it drains" : std::string(serving.status().message());
    absl::SleepFor(std::min(kPause, latest - absl::Now()));
  }
  std::fprintf(stderr, "sluice wait: gave up after %s: %s\n", absl::FormatDuration(options.timeout).c_str(),
               why.c_str());
  return kExitUnavailable;
}

}  // namespace

void AddWaitCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("wait", "Waits until a daemon serves");
  command->footer(kFooter);
  const auto options = std::make_shared<Options>();
  AddAddressFlag(command, options->address);
  AddDurationFlag(command, "--timeout", options->timeout, absl::Milliseconds(1), absl::Hours(24), "How long")
      ->default_str(absl::FormatDuration(options->timeout));
  command->callback([options, &exit_code] { exit_code = Wait(*options); });
}

}  // namespace sluice::app
