#pragma once

#include <string>

namespace sluice::test {

// What a kubelet, Prometheus or curl gets from a server on 127.0.0.1.
struct HttpAnswer {
  int status = 0;  // 0: nobody answers
  std::string head;
  std::string body;
};

HttpAnswer Http(const std::string& method, int port, const std::string& path);
inline HttpAnswer HttpGet(int port, const std::string& path) { return Http("GET", port, path); }

// The same at another IPv4 address of this machine.
HttpAnswer HttpAt(const std::string& address, const std::string& method, int port, const std::string& path);

}  // namespace sluice::test
