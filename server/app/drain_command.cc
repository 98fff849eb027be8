#include <cstdio>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "app/admin_client.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "app/table.h"
#include "app/views.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "The daemon takes nothing new, waits for the apps, hands the rest back, and stays up until it gets SIGTERM. "
    "Calling it\n"
    "again changes nothing. As a preStop hook: without --wait in a native sidecar, with it in an ordinary container.\n"
    "The exit code is 0, or 75 if --wait saw that something could not be settled or that time ran out.\n"
    "\n"
    "Examples:\n"
    "  sluice drain\n"
    "  sluice drain --wait --timeout 30s\n"
    "  sluice drain --wait --output json\n";

// Beyond the apps' deadline: an open pull that must end, and the confirmation.
constexpr absl::Duration kFinalPhase = absl::Seconds(10);

struct Options {
  std::string address;
  absl::Duration timeout = absl::InfiniteDuration();  // infinite: the daemon's
  bool wait = false;
  bool json = false;
};

absl::Time Deadline(const v1::DrainResponse& drain) {
  return absl::FromUnixSeconds(drain.deadline().seconds()) + absl::Nanoseconds(drain.deadline().nanos());
}

int Wait(AdminClient& client, const v1::DrainResponse& drain, bool json) {
  const absl::StatusOr<v1::WaitDrainedResponse> drained =
      client.WaitDrained(std::max(Deadline(drain), absl::Now()) + kFinalPhase);
  if (drained.status().code() == absl::StatusCode::kDeadlineExceeded) {
    std::fprintf(stderr, "sluice drain: the drain is not over, though its deadline is; see the daemon's log\n");
    return kExitUnsettled;
  }
  if (!drained.ok()) return FailCall("drain", drained.status());
  std::fputs((json ? JsonView(*drained, false) : DrainView(*drained)).c_str(), stdout);
  return drained->report().unsettled() == 0 ? kExitOk : kExitUnsettled;
}

int Drain(const Options& options) {
  AdminClient client(options.address);
  const absl::StatusOr<v1::DrainResponse> drain = client.Drain(options.timeout);
  if (!drain.ok()) return FailCall("drain", drain.status());
  if (options.wait) return Wait(client, *drain, options.json);
  if (options.json) {
    std::fputs(JsonView(*drain, false).c_str(), stdout);
  } else {
    const absl::Duration left = std::max(Deadline(*drain) - absl::Now(), absl::ZeroDuration());
    std::printf("%s; the apps have %s to finish.\n", drain->already_draining() ? "Draining already" : "Draining",
                ForPeople(left).c_str());
  }
  return kExitOk;
}

}  // namespace

void AddDrainCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("drain", "Makes a daemon drain");
  command->footer(kFooter);
  const auto options = std::make_shared<Options>();
  AddAddressFlag(command, options->address);
  AddDurationFlag(command, "--timeout", options->timeout, absl::ZeroDuration(), absl::Hours(24),
                  "How long the apps may take [drain.timeout of the configuration]");
  command->add_flag("--wait", options->wait, "Wait until the drain is over, and show its report");
  AddOutputFlag(command, options->json);
  command->callback([options, &exit_code] { exit_code = Drain(*options); });
}

}  // namespace sluice::app
