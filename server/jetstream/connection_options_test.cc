#include "jetstream/connection_options.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::jetstream {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ConnectionOptionsTest : public testing::Test {
 protected:
  ConnectionOptionsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-options-XXXXXX").string();
    dir_ = mkdtemp(name.data());
  }
  ~ConnectionOptionsTest() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = absl::StrCat(dir_, "/", name);
    std::ofstream(path) << text;
    return path;
  }
  // "" if the options are accepted.
  std::string Refusal() {
    const absl::Status status = MakeNatsOptions(options_).status();
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  std::string dir_;
  ConnectionOptions options_;
};

TEST_F(ConnectionOptionsTest, TheDefaultsAreAccepted) {
  EXPECT_EQ(Refusal(), "");
  EXPECT_EQ(options_.ApiPrefix(), "$JS.API");
}

TEST_F(ConnectionOptionsTest, ADomainMakesTheApiPrefix) {
  options_.domain = "hub";
  EXPECT_EQ(options_.ApiPrefix(), "$JS.hub.API");
  EXPECT_EQ(Refusal(), "");
  options_.api_prefix = "imported.API";
  EXPECT_THAT(Refusal(), HasSubstr("not both"));
}

TEST_F(ConnectionOptionsTest, AddressesAreChecked) {
  options_.servers = {"nats://ok:4222", "http://wrong"};
  EXPECT_THAT(Refusal(), HasSubstr("\"http\""));
  options_.servers = {};
  EXPECT_THAT(Refusal(), HasSubstr("no server address"));
}

TEST_F(ConnectionOptionsTest, OneWayToLogInOnly) {
  options_.user = "u";
  options_.password = "secret";
  EXPECT_EQ(Refusal(), "");
  options_.token = "t";
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("not several"), Not(HasSubstr("secret"))));
  options_.token = "";
  options_.user = "";
  EXPECT_THAT(Refusal(), HasSubstr("password without a user"));
}

TEST_F(ConnectionOptionsTest, FilesThatCannotBeReadAreNamed) {
  const std::string missing = absl::StrCat(dir_, "/missing");
  options_.credentials_file = missing;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(missing), HasSubstr("check the path")));
  options_.credentials_file = "";
  options_.nkey_seed_file = missing;
  EXPECT_THAT(Refusal(), HasSubstr(missing));
  options_.nkey_seed_file = dir_;
  EXPECT_THAT(Refusal(), HasSubstr(dir_)) << "a folder";
  options_.nkey_seed_file = "";
  options_.tls.enabled = true;
  options_.tls.ca_file = missing;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("CA file"), HasSubstr(missing)));
}

TEST_F(ConnectionOptionsTest, FilesWithSomethingElseInThemAreNamed) {
  const std::string other = Write("other", "nothing of use\n");
  options_.credentials_file = other;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(other), HasSubstr("no user JWT")));
  options_.credentials_file = "";
  options_.nkey_seed_file = other;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(other), HasSubstr("SU")));
  options_.nkey_seed_file = "";
  options_.tls.enabled = true;
  options_.tls.ca_file = other;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("CA file"), HasSubstr(other)));
  options_.tls.ca_file = "";
  options_.tls.cert_file = other;
  EXPECT_THAT(Refusal(), HasSubstr("give both files"));
  options_.tls.key_file = other;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("certificate"), HasSubstr(other)));
}

TEST_F(ConnectionOptionsTest, ASeedFileMayHoldComments) {
  options_.nkey_seed_file =
      Write("seed", "# of the worker\nSUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n");
  EXPECT_EQ(Refusal(), "");
}

}  // namespace
}  // namespace sluice::jetstream
