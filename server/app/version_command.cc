#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/exit_code.h"
#include "app/flags.h"
#include "grpcpp/grpcpp.h"

namespace sluice::app {
namespace {

int Print(bool json) {
  const std::string grpc = grpc::Version();
  if (json) {
    const nlohmann::ordered_json version = {{"version", SLUICE_VERSION}, {"grpc", grpc}};
    std::puts(version.dump(2).c_str());
  } else {
    std::printf("sluice %s (gRPC %s)\n", SLUICE_VERSION, grpc.c_str());
  }
  return kExitOk;
}

}  // namespace

void AddVersionCommand(CLI::App& sluice, int& exit_code) {
  CLI::App* const command = sluice.add_subcommand("version", "Prints the version");
  command->footer("Examples:\n  sluice version\n  sluice version --output json\n");
  const auto json = std::make_shared<bool>(false);
  AddOutputFlag(command, *json);
  command->callback([json, &exit_code] { exit_code = Print(*json); });
}

}  // namespace sluice::app
