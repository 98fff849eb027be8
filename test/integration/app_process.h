#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "test/integration/process.h"

namespace sluice::integration {

struct AppOptions {
  // quick | hung | nak-some | nak-all | poison: every tenth message fails whenever it comes | crash: every tenth kills
  // its app | spans: as nak-some, and tells of each run, as "span-<key>-<sequence>-<begin>-<acked>"
  std::string mode = "quick";
  int work_ms = 0;  // what a message takes
  int concurrency = 1;
  int credit = 0;  // messages; 0: the client's default
};

// integration_app, in a process of its own. What it handles and what it is told goes to the files of its test.
class AppProcess {
 public:
  AppProcess(const std::string& dir, const std::string& address, const std::string& consumer,
             const AppOptions& options);

  int64_t pid() const { return process_.pid(); }
  void Terminate();
  void Kill();  // and waits for its end
  std::optional<int> Wait() { return process_.Wait(absl::Seconds(40)); }

  // When it was first told `what` after `since`, in Unix microseconds; waits for that. 0: it was not.
  int64_t AwaitTold(const std::string& what, int64_t since = 0) const;
  // The same for the opening of a stream, whatever stands between it and its messages.
  int64_t AwaitOpened(int64_t since = 0) const;

  static std::string HandledPath(const std::string& dir) { return dir + "/handled"; }

 private:
  template <typename Matches>
  int64_t Await(Matches matches, int64_t since) const;

  const std::string told_path_;
  Process process_;
};

}  // namespace sluice::integration
