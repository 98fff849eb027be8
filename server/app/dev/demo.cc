#include "app/dev/demo.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "app/dev/nats_server.h"
#include "app/dev/report.h"
#include "app/table.h"

namespace sluice::dev {
namespace {

constexpr absl::string_view kConsumer = "orders";  // as in the quick start of each SDK

// Unique where the server is shared with others.
Load::Names MakeNames(bool shared) {
  absl::BitGen random;
  const std::string stream = shared ? absl::StrFormat("sluice_dev_%08x", absl::Uniform<uint32_t>(random)) : "demo";
  return {.stream = stream, .durable = std::string(kConsumer), .subject = absl::StrCat(stream, ".numbers")};
}

// As a string of YAML that the daemon does not expand.
std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}, {"$", "$$"}}), "'");
}

std::string DaemonYaml(const std::string& nats_url, const std::string& socket, const Load::Names& names,
                       absl::Duration drain_timeout) {
  return absl::StrCat("# Written by sluice dev.\n",                                //
                      "nats:\n  servers: [", Quoted(nats_url), "]\n",              //
                      "listen:\n  unix: ", Quoted(socket), "\n",                   //
                      "log:\n  format: text\n",                                    //
                      "drain:\n  timeout: ", absl::FormatDuration(drain_timeout),  //
                      "\nconsumers:\n  - name: ", kConsumer,                       //
                      "\n    stream: ", names.stream,                              //
                      "\n    durable: ", names.durable,                            //
                      "\n    config:\n      max_ack_pending: 4096\n");
}

std::string Indented(const std::string& text) {
  return absl::StrCat("\n  ", absl::StrReplaceAll(text, {{"\n", "\n  "}}));
}

}  // namespace

Demo::Demo(Options options)
    : options_(std::move(options)),
      out_(options_.json ? stderr : stdout),
      names_(MakeNames(/*shared=*/!options_.nats_url.empty())) {}

int Demo::Run() {
  absl::Status status = SetUp();
  if (status.ok()) status = Serve();
  if (status.ok()) status = DrainDaemon();
  const Outcome outcome = Judge(Account(status));
  ShowLast(status.ok());
  Report(outcome);
  return outcome.clean() ? 0 : 1;
}

// --- the stage ---

absl::Status Demo::SetUp() {
  absl::StatusOr<Workspace> workspace = Workspace::Make(options_.keep);
  if (!workspace.ok()) return workspace.status();
  workspace_.emplace(*std::move(workspace));
  if (absl::Status status = StartNats(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Load>> load = Load::Connect(nats_url_, names_);
  if (!load.ok()) return load.status();
  load_ = *std::move(load);
  if (absl::Status status = load_->CreateStream(); !status.ok()) return status;
  if (absl::Status status = StartDaemon(); !status.ok()) return status;
  if (absl::Status status = StartApp(); !status.ok()) return status;
  return AwaitServing();
}

absl::Status Demo::StartNats() {
  nats_url_ = options_.nats_url;
  if (!nats_url_.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> program = FindNatsServer();
  if (!program.ok()) return program.status();
  absl::StatusOr<NatsServer> server = StartNatsServer(*program, *workspace_);
  if (!server.ok()) return server.status();
  nats_ = std::move(server->process);
  nats_url_ = server->url;
  return absl::OkStatus();
}

absl::Status Demo::StartDaemon() {
  const std::string yaml = DaemonYaml(nats_url_, workspace_->Path("sluice.sock"), names_, kDrainTimeout);
  if (absl::Status status = workspace_->Write("sluice.yaml", yaml); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Child>> daemon =
      Start({.name = "daemon",
             .argv = {ThisProgram(), "serve", "--config", workspace_->Path("sluice.yaml")},
             .log = workspace_->Path("daemon.log")});
  if (!daemon.ok()) return daemon.status();
  daemon_ = *std::move(daemon);
  daemon_may_end_ = false;
  drained_.reset();
  state_ = {"starting", ""};
  return absl::OkStatus();
}

absl::Status Demo::StartApp() {
  absl::StatusOr<std::unique_ptr<Child>> app =
      Start({.name = "app",
             .argv = {ThisProgram(), "dev-app", "--address", absl::StrCat("unix://", workspace_->Path("sluice.sock")),
                      "--consumer", std::string(kConsumer), "--work", absl::FormatDuration(options_.work),
                      "--concurrency", absl::StrCat(options_.concurrency)},
             .log = workspace_->Path("app.log"),
             .pipe_output = true});
  if (!app.ok()) return app.status();
  app_ = *std::move(app);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Child>> Demo::Start(Child::Command command) {
  const std::string pid_file = absl::StrCat(command.name, ".pid");
  absl::StatusOr<std::unique_ptr<Child>> child = Child::Start(std::move(command));
  if (!child.ok()) return child;
  if (absl::Status status = workspace_->Write(pid_file, absl::StrCat((*child)->pid(), "\n")); !status.ok()) {
    return status;
  }
  return child;
}

// --- the play ---

bool Demo::stopping() const { return unread_ || events_.stops() > 0 || absl::Now() - started_ >= options_.run_for; }

absl::Status Demo::Serve() {
  const jetstream::ConnectionStatus nats = load_->connection();
  const std::string pace = options_.rate == 0 ? "as many messages as the app can take"
                                              : absl::StrCat(app::WithCommas(options_.rate), " messages a second");
  const std::string address = absl::StrCat("unix://", workspace_->Path("sluice.sock"));
  screen_ = std::make_unique<Screen>(
      out_,
      std::vector<std::string>{absl::StrCat("nats-server ", nats.server_version, " at ", nats.url, ", stream ",
                                            names_.stream, ": ", pace, " of ", options_.size, " bytes"),
                               absl::StrCat("Ctrl-C drains. Beside it: sluice status --address ", address),
                               absl::StrCat("or an app of yours, which is given a part (here it counts as lost): ",
                                            "SLUICE_ADDRESS=", address, ", consumer ", kConsumer)});
  started_ = absl::Now();
  next_draw_ = started_ + screen_->interval();
  load_->Start(options_.rate, options_.size);

  absl::Time next_restart = started_ + options_.restart_every;
  while (!stopping()) {
    if (absl::Status status = Pump(std::min(started_ + options_.run_for, next_restart)); !status.ok()) return status;
    if (stopping() || absl::Now() < next_restart) continue;
    if (absl::Status status = RestartDaemon(); !status.ok()) return status;
    next_restart = absl::Now() + options_.restart_every;
  }
  return absl::OkStatus();
}

absl::Status Demo::AwaitServing() {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (state_.state != "serving" && absl::Now() < deadline) {
    if (absl::Status status = Pump(deadline); !status.ok()) return status;
  }
  if (state_.state == "serving") return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("the app does not get to the daemon: ", state_.state, " ",
                                                  state_.detail, Indented(daemon_->LogTail(kLogTail))));
}

absl::Status Demo::DrainDaemon() {
  const absl::Time begin = absl::Now();
  const absl::Time deadline = begin + kDrainTimeout + kExitTimeout;
  daemon_may_end_ = true;
  daemon_->Signal(SIGTERM);
  while (daemon_->Running()) {
    if (absl::Now() >= deadline) return absl::DeadlineExceededError("the daemon did not end by its deadline");
    if (absl::Status status = Pump(deadline); !status.ok()) return status;
  }
  drain_time_ = absl::Now() - begin;
  if (daemon_->exit_code() != 0) {
    return absl::InternalError(absl::StrCat("the daemon did not drain cleanly (", daemon_->HowItEnded(),
                                            "):", Indented(daemon_->LogTail(kLogTail))));
  }
  const absl::Time told_by = absl::Now() + kExitTimeout;  // the news may still be on its way
  while (!drained_ && absl::Now() < told_by) {
    if (absl::Status status = Pump(told_by); !status.ok()) return status;
  }
  return drained_ ? absl::OkStatus() : absl::InternalError("the app was not told that the daemon has drained");
}

absl::Status Demo::RestartDaemon() {
  if (absl::Status status = DrainDaemon(); !status.ok()) return status;
  restarts_.push_back(drain_time_);
  if (absl::Status status = StartDaemon(); !status.ok()) return status;
  return AwaitServing();
}

// --- the account ---

absl::Status Demo::StopApp() {
  if (app_ == nullptr) return absl::OkStatus();
  const absl::Time deadline = absl::Now() + kExitTimeout;
  app_may_end_ = true;
  app_->Signal(SIGTERM);
  while (app_->Running() || !reader_.ended()) {
    if (absl::Now() >= deadline) return absl::DeadlineExceededError("the app did not end");
    if (absl::Status status = Pump(deadline); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Evidence Demo::Account(const absl::Status& status) {
  Evidence evidence;
  // What goes wrong after a fault is its consequence.
  const auto note = [&evidence](const absl::Status& status) {
    if (!status.ok() && evidence.trouble.empty()) evidence.trouble.emplace_back(status.message());
  };
  note(status);
  evidence.drained = status.ok() && drained_;
  if (drained_) evidence.drain = *drained_;
  evidence.drain_time = drain_time_;

  const bool jetstream_there = load_ != nullptr && (nats_ == nullptr || nats_->Running());
  if (jetstream_there) note(load_->Stop());
  if (load_ != nullptr) {
    evidence.confirmed = load_->counts().confirmed;
    evidence.unconfirmed = load_->counts().unconfirmed;
  }
  daemon_may_end_ = true;
  daemon_.reset();
  note(StopApp());
  evidence.app = counts_;
  if (!jetstream_there) return evidence;

  const absl::StatusOr<core::ConsumerInfo> info = load_->Info();
  note(info.status());
  evidence.consumer_known = info.ok();
  evidence.num_pending = info.ok() ? info->num_pending : 0;
  evidence.num_ack_pending = info.ok() ? info->num_ack_pending : 0;
  if (nats_ == nullptr && !options_.keep) load_->DeleteStream().IgnoreError();
  return evidence;
}

// What the report tells is not to differ from the last table.
void Demo::ShowLast(bool drained) {
  if (screen_ == nullptr) return;
  state_ = {drained ? "drained" : "ended", ""};
  Draw(absl::Now());
}

void Demo::Report(const Outcome& outcome) const {
  if (screen_ != nullptr) {
    if (drained_) absl::FPrintF(out_, "\n%s", DrainText(*drained_, drain_time_));
    absl::FPrintF(out_, "\n%s\n", OutcomeText(outcome, restarts_));
  }
  if (options_.keep && workspace_) absl::FPrintF(out_, "Kept: %s\n", workspace_->folder().string());
  std::fflush(out_);
  for (const std::string& fault : outcome.faults) absl::FPrintF(stderr, "sluice dev: %s\n", fault);
  if (options_.json) absl::PrintF("%s\n", ReportJson(outcome, drained_.value_or(DrainReport()), restarts_));
  absl::PrintF("%s\n", outcome.ToLine());
  std::fflush(stdout);
}

// --- events ---

absl::Status Demo::Pump(absl::Time deadline) {
  const bool hear_app = app_ != nullptr && !reader_.ended();
  events_.Wait(hear_app ? app_->output() : -1, std::min(deadline, next_draw_));
  if (hear_app) ReadNews();
  if (const absl::Time now = absl::Now(); now >= next_draw_) Draw(now);
  if (events_.stops() > 1) return absl::CancelledError("told twice to stop: ended at once, without a drain");
  return CheckChildren();
}

void Demo::ReadNews() {
  for (const std::string& line : reader_.Read(app_->output())) {
    if (const absl::StatusOr<AppNews> news = ParseLine(line); news.ok()) Take(*news);
  }
  load_->SetAcked(counts_.acked);
  const uint64_t published = load_->counts().confirmed;
  waiting_ = published - std::min(published, counts_.handled + counts_.in_flight);
}

void Demo::Take(const AppNews& news) {
  if (const auto* counts = std::get_if<AppCounts>(&news)) counts_ = *counts;
  if (const auto* state = std::get_if<AppState>(&news)) state_ = *state;
  if (const auto* error = std::get_if<AppError>(&news)) state_.detail = error->what;
  if (const auto* drained = std::get_if<DrainReport>(&news)) drained_ = *drained;
}

void Demo::Draw(absl::Time now) {
  const Snapshot snapshot = {.uptime = now - started_,
                             .published = load_->counts().confirmed,
                             .waiting = waiting_,
                             .app = counts_,
                             .phase = absl::AsciiStrToUpper(state_.state),
                             .trouble = state_.detail,
                             .restarts = restarts_.size()};
  unread_ = !screen_->Draw(now, snapshot);
  next_draw_ = std::max(next_draw_ + screen_->interval(), now);
}

absl::Status Demo::CheckChildren() {
  const auto check = [](const std::unique_ptr<Child>& child, bool may_end) {
    if (may_end || child == nullptr || child->Running()) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("the ", child->name(), " ended unexpectedly (", child->HowItEnded(),
                                               "); its log ends:", Indented(child->LogTail(kLogTail))));
  };
  if (absl::Status status = check(nats_, false); !status.ok()) return status;
  if (absl::Status status = check(daemon_, daemon_may_end_); !status.ok()) return status;
  return check(app_, app_may_end_);
}

}  // namespace sluice::dev
