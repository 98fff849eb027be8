#include "jetstream/server_url.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sluice::jetstream {
namespace {

absl::Status BadUrl(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("NATS server address: ", why, "; write nats://host:4222"));
}

}  // namespace

std::string ServerUrl::ToString() const {
  const bool ipv6 = absl::StrContains(host, ':');
  return absl::StrCat(scheme, "://", ipv6 ? "[" : "", host, ipv6 ? "]" : "", ":", port);
}

absl::StatusOr<ServerUrl> ParseServerUrl(absl::string_view url) {
  ServerUrl parsed;
  if (const size_t end = url.find("://"); end != absl::string_view::npos) {
    parsed.scheme = std::string(url.substr(0, end));
    url.remove_prefix(end + 3);
  }
  if (parsed.scheme != "nats" && parsed.scheme != "tls") {
    return BadUrl(absl::StrCat("scheme \"", parsed.scheme, "\" is neither nats nor tls"));
  }
  if (const size_t at = url.rfind('@'); at != absl::string_view::npos) url.remove_prefix(at + 1);
  absl::ConsumeSuffix(&url, "/");

  size_t host_end = url.rfind(':');
  if (absl::ConsumePrefix(&url, "[")) {
    const size_t bracket = url.find(']');
    if (bracket == absl::string_view::npos) return BadUrl("the bracket of the IPv6 address is not closed");
    parsed.host = std::string(url.substr(0, bracket));
    url.remove_prefix(bracket + 1);
    host_end = url.empty() ? absl::string_view::npos : 0;
    if (!url.empty() && url.front() != ':') return BadUrl("text follows the IPv6 address");
  } else {
    parsed.host = std::string(url.substr(0, host_end));
  }
  if (parsed.host.empty()) return BadUrl("no host");
  if (host_end == absl::string_view::npos) return parsed;

  const absl::string_view port = url.substr(host_end + 1);
  int number = 0;
  if (!absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
    return BadUrl(absl::StrCat("port \"", port, "\" is not a number from 1 to 65535"));
  }
  parsed.port = std::string(port);
  return parsed;
}

}  // namespace sluice::jetstream
