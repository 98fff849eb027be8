#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "app/dev/app_news.h"
#include "app/dev/child.h"
#include "app/dev/events.h"
#include "app/dev/line_reader.h"
#include "app/dev/load.h"
#include "app/dev/options.h"
#include "app/dev/outcome.h"
#include "app/dev/screen.h"
#include "app/dev/workspace.h"

namespace sluice::dev {

// One run of `sluice dev`. This process publishes, draws and keeps the account; nats-server, daemon and app are
// processes of their own, and the daemon is ended as a rollout would: by SIGTERM, under load. Used by the main thread
// alone, before it has started others.
class Demo {
 public:
  explicit Demo(Options options);

  // The story, from the first process to the last line. The exit code: 0 only if nothing was lost, nothing was handled
  // twice and every drain was clean.
  int Run();

 private:
  static constexpr absl::Duration kStartTimeout = absl::Seconds(15);  // until messages can flow
  static constexpr absl::Duration kDrainTimeout = absl::Seconds(30);  // the daemon's `drain.timeout`
  static constexpr absl::Duration kExitTimeout = absl::Seconds(10);   // for what should end at once
  static constexpr size_t kLogTail = 8;                               // lines

  absl::Status SetUp();
  absl::Status StartNats();
  absl::Status StartDaemon();
  absl::Status StartApp();
  absl::StatusOr<std::unique_ptr<Child>> Start(Child::Command command);

  // Messages flow until it is time to stop; daemons come and go if asked for.
  absl::Status Serve();
  absl::Status AwaitServing();
  absl::Status DrainDaemon();
  absl::Status RestartDaemon();

  // Stops what still runs, and asks everybody for their numbers. `status` is how it went so far.
  Evidence Account(const absl::Status& status);
  absl::Status StopApp();
  void ShowLast(bool drained);
  void Report(const Outcome& outcome) const;

  // Waits for something to happen, and deals with it; at most until `deadline`. An error: a process has died that
  // should not, or the user wants out at once.
  absl::Status Pump(absl::Time deadline);
  void ReadNews();
  void Take(const AppNews& news);
  void Draw(absl::Time now);
  absl::Status CheckChildren();
  bool stopping() const;

  const Options options_;
  std::FILE* const out_;  // for people
  Events events_;
  std::optional<Workspace> workspace_;
  Load::Names names_;
  std::string nats_url_;

  // Processes are ended in reverse order: nats-server last.
  std::unique_ptr<Child> nats_;  // null: a running one is used
  std::unique_ptr<Load> load_;
  std::unique_ptr<Child> daemon_;
  std::unique_ptr<Child> app_;
  bool daemon_may_end_ = false;
  bool app_may_end_ = false;

  // From the app.
  LineReader reader_;
  AppCounts counts_;
  uint64_t waiting_ = 0;  // published when these counts came, and not with the app by then
  AppState state_;
  std::optional<DrainReport> drained_;  // since the daemon was started
  absl::Duration drain_time_;
  std::vector<absl::Duration> restarts_;  // how long each drain took

  std::unique_ptr<Screen> screen_;
  absl::Time started_;
  absl::Time next_draw_ = absl::InfiniteFuture();
  bool unread_ = false;  // nobody reads the output any more
};

}  // namespace sluice::dev
