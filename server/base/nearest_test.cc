#include "base/nearest.h"

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> keys = {"name", "stream", "durable", "max_streams", "resume_window", "tls"};
  const std::pair<const char*, const char*> cases[] = {
      {"name", "name"},
      {"nmae", "name"},
      {"names", "name"},
      {"Stream", "stream"},
      {"straem", "stream"},
      {"max-streams", "max_streams"},
      {"maxStreams", "max_streams"},
      {"resumewindow", "resume_window"},
      {"tsl", "tls"},
      {"", ""},
      {"x", ""},
      {"bucket", ""},
      {"tlsandmore", ""},
  };
  for (const auto& [word, meant] : cases) EXPECT_EQ(Nearest(word, keys), meant) << word;
}

TEST(Nearest, BearsAnyWord) {
  EXPECT_EQ(Nearest(std::string(1 << 20, 'x'), std::vector<std::string>{"x"}), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace sluice::base
