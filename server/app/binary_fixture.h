#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/exit_code.h"
#include "test/integration/await.h"
#include "test/integration/process.h"

// For the tests of the real binary alone.
namespace sluice::app {

// Runs it to its end.
inline integration::Finished Sluice(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), integration::SluiceBinary());
  return integration::RunCommand(arguments);
}

// A configuration in a folder of its own; NATS is nowhere.
class ConfiguredTest : public ::testing::Test {
 protected:
  ConfiguredTest() { Configure(""); }

  void Configure(const std::string& more, const std::string& consumer = "") {
    integration::WriteFile(file_, absl::StrCat("nats: {servers: 'nats://127.0.0.1:1'}\n",
                                               "listen: {unix: ", dir_ / "s.sock", "}\n", "drain: {timeout: 500ms}\n",
                                               more, "consumers:\n  - name: orders\n    stream: ORDERS\n", consumer));
  }
  std::string Problem(int line, int column) const { return absl::StrCat(file_, ":", line, ":", column, ": "); }

  integration::TempDir dir_;
  const std::string file_ = dir_ / "sluice.yaml";
  const std::string address_ = "unix:" + (dir_ / "s.sock");
};

// The daemon, as a process.
class ServeTest : public ConfiguredTest {
 protected:
  // Returns when it serves.
  std::unique_ptr<integration::Process> Serve(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {integration::SluiceBinary(), "serve", "-c", file_};
    command.insert(command.end(), more.begin(), more.end());
    auto process = std::make_unique<integration::Process>(command, dir_ / "out", dir_ / "log");
    EXPECT_TRUE(integration::Eventually([&] { return IsHealthy() || process->Wait(absl::ZeroDuration()).has_value(); }))
        << Log();
    EXPECT_EQ(process->Wait(absl::ZeroDuration()), std::nullopt) << Log();
    return process;
  }
  bool IsHealthy() { return Sluice({"healthcheck", "--address", address_, "--timeout", "5s"}).exit_code == kExitOk; }
  std::string Log() { return integration::ReadFile(dir_ / "log"); }
};

}  // namespace sluice::app
