#include "rpc/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/test_daemon.h"

namespace sluice::rpc {
namespace {

using ::testing::HasSubstr;

// A socket bound by somebody who knows no lock.
class ForeignSocket {
 public:
  explicit ForeignSocket(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
  }
  ~ForeignSocket() { close(fd_); }  // leaves the path behind, as a killed process does

 private:
  const int fd_;
};

std::string Sentence(const absl::Status& status) { return std::string(status.message()); }

TEST(UnixSocketTest, OneOwnerAtATime) {
  TempDir dir;
  auto first = UnixSocket::Claim(dir / "s");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = UnixSocket::Claim(dir / "s");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Sentence(second.status()), HasSubstr("stop it, or configure another path"));
  first->reset();
  EXPECT_TRUE(UnixSocket::Claim(dir / "s").ok());
}

TEST(UnixSocketTest, AStaleSocketIsRemoved) {
  TempDir dir;
  { ForeignSocket killed(dir / "s"); }
  ASSERT_TRUE(std::filesystem::exists(dir / "s"));
  const auto socket = UnixSocket::Claim(dir / "s");
  EXPECT_TRUE(socket.ok()) << socket.status();
  EXPECT_FALSE(std::filesystem::exists(dir / "s"));
}

TEST(UnixSocketTest, ALiveSocketWithoutALockIsRespected) {
  TempDir dir;
  ForeignSocket live(dir / "s");
  EXPECT_EQ(UnixSocket::Claim(dir / "s").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(dir / "s"));
}

TEST(UnixSocketTest, AFileThatIsNoSocketIsRespected) {
  TempDir dir;
  std::ofstream(dir / "s") << "precious";
  const absl::Status status = UnixSocket::Claim(dir / "s").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Sentence(status), HasSubstr("is no socket; remove it"));
  EXPECT_TRUE(std::filesystem::exists(dir / "s"));
}

TEST(UnixSocketTest, TheDirectoryMustExist) {
  TempDir dir;
  const absl::Status status = UnixSocket::Claim(dir / "missing/s").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Sentence(status), HasSubstr("make its directory first"));
}

TEST(UnixSocketTest, ThePathMustFitItsStructure) {
  TempDir dir;
  const std::string longest = (dir / "s") + std::string(UnixSocket::kMaxPath - (dir / "s").size(), 'x');
  EXPECT_TRUE(UnixSocket::Claim(longest).ok());
  const absl::Status status = UnixSocket::Claim(longest + "x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Sentence(status), HasSubstr("108 bytes; at most 107"));
  EXPECT_EQ(UnixSocket::Claim("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(UnixSocket::Claim(std::string("a\0b", 3)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(UnixSocketTest, TheAddressEscapesWhatMeansSomethingInAUri) {
  TempDir dir;
  const auto socket = UnixSocket::Claim(dir / "a b%?#");
  ASSERT_TRUE(socket.ok());
  EXPECT_EQ((*socket)->address(), "unix:" + (dir / "a%20b%25%3F%23"));
}

}  // namespace
}  // namespace sluice::rpc
