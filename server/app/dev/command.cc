#include "app/dev/command.h"

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "app/dev/demo.h"
#include "app/dev/demo_app.h"
#include "app/dev/options.h"
#include "app/dev/payload.h"
#include "app/flags.h"

namespace sluice::dev {
namespace {

constexpr uint64_t kMostRate = 1'000'000;        // messages per second
constexpr size_t kMostSize = size_t{512} << 10;  // bytes; nats-server's default max_payload is 1 MiB
constexpr int kMostConcurrency = 1024;

constexpr char kFooter[] =
    "Publishes numbered messages, and runs the daemon and an app as processes of their own. At the end the daemon\n"
    "gets SIGTERM under load, as in a rollout; then every number must have been handled once, or wait in the stream.\n"
    "The last line is for scripts. The exit code is 0 only if lost=0, duplicates=0 and every drain was clean, else 1.\n"
    "\n"
    "Examples:\n"
    "  sluice dev                                   until Ctrl-C\n"
    "  sluice dev --for 20s                         stops by itself\n"
    "  sluice dev --for 20s --output json           the report as JSON, on the line before the last\n"
    "  sluice dev --for 30s --restart-every 5s      a rollout every 5 seconds\n"
    "  sluice dev --rate 0 --work 0s                as fast as it goes\n"
    "  sluice dev --work 2s --concurrency 100       slow handlers: the drain waits for them\n"
    "  sluice dev --nats nats://127.0.0.1:4222      a running server, on a stream that is deleted at the end\n";

void AddDev(CLI::App& sluice, int& exit_code) {
  CLI::App* const dev = sluice.add_subcommand("dev", "Shows it all in one terminal: nats-server, daemon, app, drain");
  const auto options = std::make_shared<Options>();
  dev->footer(kFooter);
  app::AddDurationFlag(dev, "--for", options->run_for, absl::Milliseconds(100), absl::Hours(24 * 365),
                       "Stop after this long");
  dev->add_option("--rate", options->rate, "Messages a second to publish; 0: as fast as they are acked")
      ->check(CLI::Range(uint64_t{0}, kMostRate))
      ->capture_default_str();
  dev->add_option("--size", options->size, "Bytes of each message")
      ->check(CLI::Range(kLeastPayload, kMostSize))
      ->capture_default_str();
  app::AddDurationFlag(dev, "--work", options->work, absl::ZeroDuration(), absl::Minutes(10),
                       "How long the app works on each message")
      ->default_str(absl::FormatDuration(options->work));
  dev->add_option("--concurrency", options->concurrency, "Messages the app works on at once")
      ->check(CLI::Range(1, kMostConcurrency))
      ->capture_default_str();
  app::AddDurationFlag(dev, "--restart-every", options->restart_every, absl::Milliseconds(200), absl::Hours(24),
                       "Restart the daemon under load, again and again");
  dev->add_option("--nats", options->nats_url, "Use this running server, instead of starting one")->type_name("URL");
  dev->add_flag("--keep", options->keep, "Keep the temporary folder, with the logs");
  app::AddOutputFlag(dev, options->json);
  dev->callback([options, &exit_code] { exit_code = Demo(*options).Run(); });
}

void AddApp(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("dev-app", "The app of sluice dev")->group("");
  const auto options = std::make_shared<AppOptions>();
  command->add_option("--address", options->address)->required();
  command->add_option("--consumer", options->consumer)->required();
  app::AddDurationFlag(command, "--work", options->work, absl::ZeroDuration(), absl::InfiniteDuration(), "");
  command->add_option("--concurrency", options->concurrency);
  command->callback([options, &exit_code] { exit_code = RunApp(*options); });
}

}  // namespace

void AddDevCommands(CLI::App& sluice, int& exit_code) {
  AddDev(sluice, exit_code);
  AddApp(sluice, exit_code);
}

}  // namespace sluice::dev
