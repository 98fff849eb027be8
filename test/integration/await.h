#pragma once

#include <cctype>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "test/support/nats_server.h"

namespace sluice::integration {

// How long a test waits for what must come. Far beyond what anything takes on a busy machine.
inline constexpr absl::Duration kPatience = absl::Seconds(40);

// Asks until `condition` holds; false if it does not within `patience`.
template <typename Condition>
bool Eventually(Condition condition, absl::Duration patience = kPatience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

// "v2_10_27", of the path of a nats-server.
inline std::string VersionName(const std::string& binary) {
  std::string name = absl::StrCat("v", test::NatsServerVersion(binary));
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}
inline std::string ParamName(const testing::TestParamInfo<std::string>& info) { return VersionName(info.param); }

}  // namespace sluice::integration
