#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "app/admin_client.h"
#include "app/commands.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "app/views.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "Rates are averages since the daemon's start; with --watch, since the line before.\n"
    "\n"
    "Examples:\n"
    "  sluice status\n"
    "  sluice status --watch --interval 5s\n"
    "  sluice status --output json | jq '.consumers[].counts'\n";

// Clears the terminal and goes to its upper left corner.
constexpr char kClear[] = "\x1b[H\x1b[2J";

struct Options {
  std::string address;
  bool watch = false;
  absl::Duration interval = absl::Seconds(1);
  bool json = false;
};

// Until it is interrupted, or the daemon is gone.
int Watch(AdminClient& client, const Options& options) {
  std::optional<v1::Status> before;
  absl::Time asked_before;
  while (true) {
    const absl::Time now = absl::Now();
    absl::StatusOr<v1::Status> status = client.GetStatus();
    if (!status.ok()) return FailCall("status", status.status());
    if (options.json) {
      std::fputs(JsonView(*status, true).c_str(), stdout);
    } else {
      const v1::Status* const earlier = before.has_value() ? &*before : nullptr;
      std::printf("%s%s", kClear, StatusView(*status, now, earlier, now - asked_before).c_str());
    }
    std::fflush(stdout);
    before = *std::move(status);
    asked_before = now;
    absl::SleepFor(options.interval);
  }
}

int Show(const Options& options) {
  AdminClient client(options.address);
  if (options.watch) return Watch(client, options);
  const absl::StatusOr<v1::Status> status = client.GetStatus();
  if (!status.ok()) return FailCall("status", status.status());
  const std::string text =
      options.json ? JsonView(*status, false) : StatusView(*status, absl::Now(), nullptr, absl::ZeroDuration());
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace

void AddStatusCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("status", "Shows what a daemon is doing");
  command->footer(kFooter);
  const auto options = std::make_shared<Options>();
  AddAddressFlag(command, options->address);
  command->add_flag("--watch", options->watch, "Show it again and again");
  AddDurationFlag(command, "--interval", options->interval, absl::Milliseconds(100), absl::Hours(1),
                  "How often, with --watch")
      ->default_str(absl::FormatDuration(options->interval));
  AddOutputFlag(command, options->json);
  command->callback([options, &exit_code] { exit_code = Show(*options); });
}

}  // namespace sluice::app
