#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "admin/facts.h"
#include "admin/snapshot.h"

namespace sluice::admin {

struct Request {
  std::string method;  // "GET"
  std::string path;    // without the query
  std::string peer;    // the client's address, without its port
};

struct Response {
  int status = 200;  // of HTTP
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  // of 405
};

// What `/readyz` asks for, besides that no drain runs.
enum class Readiness {
  kProcess,    // nothing
  kNats,       // a connection to NATS
  kConsumers,  // that, and every consumer in a state in which it serves, or stands by
};

// The paths, and what they answer:
//
//   GET /startupz      200 once apps can connect; NATS may be away
//   GET /readyz        200 while new work is welcome, see Readiness; 503 from the first moment of a drain
//   GET /livez         200; 503 if only a restart helps (Watchdog)
//   GET /metrics       Prometheus' text
//   POST /quitquitquit drains and ends the process: from this machine only, and only where it is switched on
//
// Each probe's body says why, in one line. Thread-safe.
class Handler {
 public:
  struct Options {
    Readiness readiness = Readiness::kNats;
    bool quit = false;
  };
  // What it cannot know by itself. Any thread.
  struct Sources {
    std::function<bool()> started;
    std::function<absl::Status()> alive;
    std::function<absl::Duration()> loop_lag;
    // Nothing if the loop does not answer in time.
    std::function<std::optional<Snapshot>(absl::Duration patience)> loop;
  };

  // For the loop, before a probe or a scrape gives up; the kubelet itself gives up after 1 s.
  static constexpr absl::Duration kPatience = absl::Milliseconds(800);

  Handler(Options options, Facts facts, Sources sources)
      : options_(options), facts_(std::move(facts)), sources_(std::move(sources)) {}

  Response Handle(const Request& request) const;

 private:
  Response Started() const;
  Response Ready() const;
  Response Alive() const;
  Response Metrics() const;
  Response Quit(const Request& request) const;

  const Options options_;
  const Facts facts_;
  const Sources sources_;
};

// Whether an address is the machine's own loopback: 127.0.0.0/8, ::1, or the former inside IPv6.
bool IsLoopback(absl::string_view address);

}  // namespace sluice::admin
