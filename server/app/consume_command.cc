#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/consume.h"
#include "app/flags.h"

namespace sluice::app {
namespace {

constexpr char kFooter[] =
    "Messages go to standard output, one a line; everything else to standard error. Ctrl-C drains, a second one stops\n"
    "at once. These are real messages: what is acked here no other app gets.\n"
    "\n"
    "Examples:\n"
    "  sluice consume orders                             print and ack until Ctrl-C\n"
    "  sluice consume orders --count 10 --output json | jq .data\n"
    "  sluice consume orders --nak-every 100 --print none --for 10s\n"
    "  sluice consume orders --concurrency 8 --delay 50ms\n";

using Print = ConsumePlan::Print;
const std::map<std::string, Print> kPrints = {
    {"text", Print::kText}, {"subject", Print::kSubject}, {"json", Print::kJson}, {"none", Print::kNone}};

}  // namespace

void AddConsumeCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("consume", "Prints the messages of a consumer, and settles them");
  command->footer(kFooter);
  const auto plan = std::make_shared<ConsumePlan>();
  command->add_option("consumer", plan->consumer, "Its name in the daemon's configuration")->required();
  AddAddressFlag(command, plan->address);
  command->add_option("--concurrency", plan->concurrency, "Messages worked on at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  CLI::Option* const nak =
      command->add_option("--nak-every", plan->nak_every, "Nak every Nth message")->check(CLI::PositiveNumber);
  CLI::Option* const term =
      command->add_option("--term-every", plan->term_every, "Terminate every Nth message")->check(CLI::PositiveNumber);
  command->add_flag("--ack")->description("Ack every message; the default")->excludes(nak)->excludes(term);
  AddDurationFlag(command, "--delay", plan->work, absl::ZeroDuration(), absl::Hours(1), "Work so long on each message");
  command->add_option("--count", plan->count, "Stop after so many messages")->check(CLI::PositiveNumber);
  AddDurationFlag(command, "--for", plan->run_for, absl::Milliseconds(1), absl::Hours(24 * 365), "Stop after so long");
  CLI::Option* const print = command->add_option("--print", plan->print, "text, subject, json or none")
                                 ->transform(CLI::CheckedTransformer(kPrints))
                                 ->default_str("text");
  AddOutputFlag(command, plan->json_summary);
  command->callback([plan, print, &exit_code] {
    if (plan->json_summary && print->count() == 0) plan->print = Print::kJson;
    exit_code = Consume(*plan, std::cout, std::cerr);
  });
}

}  // namespace sluice::app
