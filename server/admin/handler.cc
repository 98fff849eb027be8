#include "admin/handler.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "admin/metrics.h"
#include "base/log.h"

namespace sluice::admin {
namespace {

constexpr int kOk = 200;
constexpr int kForbidden = 403;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kUnavailable = 503;

constexpr char kIndex[] = "/startupz /readyz /livez /metrics";
constexpr char kLoopIsStuck[] = "the event loop does not answer";

Response Text(int status, absl::string_view text) {
  Response response;
  response.status = status;
  response.body = absl::StrCat(text, "\n");
  return response;
}

Response NotReady(absl::string_view why) { return Text(kUnavailable, absl::StrCat("not ready: ", why)); }

std::string DescribeDrain(const Snapshot& snapshot) {
  if (snapshot.phase == core::Daemon::Phase::kDrained) return "drained; waits for SIGTERM";
  uint64_t held = 0;
  for (const ConsumerSnapshot& consumer : snapshot.consumers) held += consumer.gauges.in_flight;
  return absl::StrCat("draining: ", held, " messages with apps, deadline in ",
                      absl::FormatDuration(absl::Trunc(snapshot.drain_left, absl::Milliseconds(100))));
}

std::string DescribeNats(const NatsFacts& nats) {
  return absl::StrCat("not connected to NATS", nats.last_error.empty() ? "" : ": ", nats.last_error,
                      "; it is tried for ever");
}

// PAUSED, PINNED_ELSEWHERE and PROBING are somebody's wish or the apps' own trouble: another pod would do no better.
bool IsUsable(core::ConsumerState state) {
  return state != core::ConsumerState::kNatsDown && state != core::ConsumerState::kConsumerMissing &&
         state != core::ConsumerState::kConsumerInvalid;
}

}  // namespace

bool IsLoopback(absl::string_view address) {
  const std::string text(absl::StripPrefix(address, "::ffff:"));
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Response Handler::Handle(const Request& request) const {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool is_quit = request.path == "/quitquitquit";
  Response (Handler::*const answer)() const = request.path == "/startupz"  ? &Handler::Started
                                              : request.path == "/readyz"  ? &Handler::Ready
                                              : request.path == "/livez"   ? &Handler::Alive
                                              : request.path == "/metrics" ? &Handler::Metrics
                                                                           : nullptr;
  if (request.path == "/") return Text(kOk, kIndex);
  if (answer == nullptr && !is_quit) return Text(kNotFound, absl::StrCat("no such page; there are ", kIndex));
  if (is_quit ? request.method != "POST" : !reads) {
    Response response = Text(kMethodNotAllowed, absl::StrCat("use ", is_quit ? "POST" : "GET"));
    response.allow = is_quit ? "POST" : "GET, HEAD";
    return response;
  }
  return is_quit ? Quit(request) : (this->*answer)();
}

Response Handler::Started() const {
  return sources_.started() ? Text(kOk, "started: apps can connect")
                            : Text(kUnavailable, "not started: not listening for apps yet");
}

Response Handler::Ready() const {
  if (!sources_.started()) return NotReady("not listening for apps yet");
  const std::optional<Snapshot> loop = sources_.loop(kPatience);
  if (!loop.has_value()) return NotReady(kLoopIsStuck);
  if (loop->phase != core::Daemon::Phase::kServing) return NotReady(DescribeDrain(*loop));
  if (options_.readiness == Readiness::kProcess) return Text(kOk, "ready: serving apps");
  if (!loop->nats.connected) return NotReady(DescribeNats(loop->nats));
  if (options_.readiness == Readiness::kNats) {
    return Text(kOk, absl::StrCat("ready: serving apps, connected to NATS at ", loop->nats.url));
  }
  for (const ConsumerSnapshot& consumer : loop->consumers) {
    if (IsUsable(consumer.state)) continue;
    return NotReady(absl::StrCat("consumer '", consumer.name, "' is ", core::ConsumerStateName(consumer.state),
                                 consumer.state_detail.empty() ? "" : ": ", consumer.state_detail));
  }
  return Text(kOk, absl::StrCat("ready: serving apps, ", loop->consumers.size(), " consumers, connected to NATS at ",
                                loop->nats.url));
}

Response Handler::Alive() const {
  const absl::Status alive = sources_.alive();
  return alive.ok() ? Text(kOk, "alive: the event loop and gRPC answer")
                    : Text(kUnavailable, absl::StrCat("not alive: ", alive.message()));
}

Response Handler::Metrics() const {
  std::optional<Snapshot> loop = sources_.loop(kPatience);
  if (!loop.has_value()) return Text(kUnavailable, kLoopIsStuck);
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = Serialize(
      Collect({facts_.version, *std::move(loop), facts_.reload(), sources_.alive().ok(), sources_.loop_lag()}));
  return response;
}

Response Handler::Quit(const Request& request) const {
  if (!options_.quit) return Text(kForbidden, "switched off; set admin.quit: true to end the daemon from its pod");
  if (!IsLoopback(request.peer)) return Text(kForbidden, "only from this pod, over 127.0.0.1");
  base::LogInfo("asked to end, by POST /quitquitquit");
  facts_.quit();
  return Text(kOk, "draining, then the daemon ends");
}

}  // namespace sluice::admin
