#include "test/support/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice::test {
namespace {

constexpr timeval kPatience = {20, 0};

std::string Exchange(const std::string& address, int port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) return "";
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 1; got > 0;) {
    got = recv(fd, buffer, sizeof(buffer), 0);
    if (got > 0) answer.append(buffer, static_cast<size_t>(got));
  }
  return answer;
}

}  // namespace

HttpAnswer HttpAt(const std::string& address, const std::string& method, int port, const std::string& path) {
  const std::string text = Exchange(
      address, port, absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: sluice\r\nContent-Length: 0\r\n\r\n"));
  const size_t end = text.find("\r\n\r\n");
  HttpAnswer answer;
  if (end == std::string::npos) return answer;
  answer.head = text.substr(0, end);
  answer.body = text.substr(end + 4);
  if (!absl::SimpleAtoi(answer.head.substr(sizeof("HTTP/1.1"), 3), &answer.status)) answer.status = 0;
  return answer;
}

HttpAnswer Http(const std::string& method, int port, const std::string& path) {
  return HttpAt("127.0.0.1", method, port, path);
}

}  // namespace sluice::test
