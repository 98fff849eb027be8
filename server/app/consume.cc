#include "app/consume.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <ostream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "app/exit_code.h"
#include "app/message_line.h"
#include "app/signals.h"
#include "app/table.h"
#include "nlohmann/json.hpp"
#include "sluice/client.h"

namespace sluice::app {
namespace {

// With a count, so few wait in the client that hardly any is handed back.
constexpr uint64_t kMostAhead = 256;

// Lines from any thread.
class Lines {
 public:
  explicit Lines(std::ostream& stream) : stream_(stream) {}

  void Write(absl::string_view line) {
    std::lock_guard lock(mutex_);
    stream_ << line << std::endl;  // flushed: it may be a pipe that somebody watches
  }

 private:
  std::mutex mutex_;
  std::ostream& stream_;
};

// Calls `wake` after `delay`, unless it is destroyed before.
class Alarm {
 public:
  Alarm(absl::Duration delay, std::function<void()> wake)
      : thread_([this, delay, wake = std::move(wake)](const std::stop_token& stop) {
          std::unique_lock lock(mutex_);
          rung_.wait_for(lock, stop, absl::ToChronoMilliseconds(delay), [] { return false; });
          if (!stop.stop_requested()) wake();
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any rung_;
  std::jthread thread_;  // last: it uses the others
};

std::string Line(const Message& message, ConsumePlan::Print print) {
  switch (print) {
    case ConsumePlan::Print::kSubject:
      return SubjectLine(message);
    case ConsumePlan::Print::kJson:
      return JsonLine(message);
    default:
      return TextLine(message);
  }
}

// For the so manieth message.
Verdict Rule(const ConsumePlan& plan, uint64_t number) {
  if (plan.term_every > 0 && number % plan.term_every == 0) return Term("sluice consume --term-every");
  if (plan.nak_every > 0 && number % plan.nak_every == 0) return Nak();
  return Ack();
}

std::string Summary(const ConsumePlan& plan, const Stats& stats, const DrainReport& drain, absl::Duration took) {
  const double seconds = absl::ToDoubleSeconds(took);
  if (plan.json_summary) {
    const nlohmann::ordered_json summary = {{"received", stats.received}, {"acked", stats.acked},
                                            {"naked", stats.naked},       {"terminated", stats.terminated},
                                            {"lost", stats.lost},         {"rejoined", stats.rejoined},
                                            {"seconds", seconds},         {"drained", drain.completed}};
    return summary.dump();
  }
  return absl::StrCat("sluice consume: ", WithCommas(stats.received), " received, ", WithCommas(stats.acked),
                      " acked, ", WithCommas(stats.naked), " naked, ", WithCommas(stats.terminated), " terminated in ",
                      ForPeople(took), drain.completed ? "; drained" : "; not drained");
}

int ExitCodeOf(const Stats& stats, const DrainReport& drain, const grpc::Status& end) {
  if (!end.ok()) return kExitConfiguration;
  if (stats.streams == 0) return kExitUnavailable;
  return drain.completed && !drain.deadline_exceeded && drain.unsettled == 0 ? kExitOk : kExitUnsettled;
}

// One run of the command.
class Run {
 public:
  Run(const ConsumePlan& plan, std::ostream& out, std::ostream& notices) : plan_(plan), out_(out), notices_(notices) {}

  int operator()() {
    const absl::Time began = absl::Now();
    Client client({.address = plan_.address, .log = nullptr});  // the notices tell it
    Consumption consumption = client.Consume(plan_.consumer, Options(), [this](Message& m) { return Handle(m); });
    {
      const Alarm alarm(std::min(plan_.run_for, absl::Hours(24 * 365)), [this] { signals_.Wake(); });
      signals_.Wait();
    }
    consumption.StartDrain();
    while (!ended_) {
      if (signals_.Wait() == SIGINT) consumption.Stop();
    }
    const grpc::Status end = consumption.Closed();
    const Stats stats = consumption.stats();
    const DrainReport drain = consumption.drain_report();
    if (end.ok() && stats.streams == 0) {
      notices_.Write(absl::StrCat("sluice consume: no daemon at ", client.address(),
                                  "; is it running? give its address with --address or SLUICE_ADDRESS"));
    } else {
      notices_.Write(Summary(plan_, stats, drain, absl::Now() - began));
    }
    return ExitCodeOf(stats, drain, end);
  }

 private:
  ConsumeOptions Options() {
    ConsumeOptions options{.concurrency = plan_.concurrency};
    if (plan_.count > 0) {
      options.credit.messages = static_cast<uint32_t>(std::min(plan_.count, kMostAhead));
      options.hand_back = true;
    }
    options.on_state = [this](State state, const std::string& detail) {
      if (state == State::kClosed) {
        ended_ = true;
        signals_.Wake();
      } else if (state != State::kServing && !detail.empty()) {
        notices_.Write(absl::StrCat("sluice consume: ", ToString(state), ": ", detail));
      }
    };
    options.on_draining = [this](const Draining& draining) {
      if (draining.by_daemon) notices_.Write("sluice consume: the daemon drains; waiting for its successor");
    };
    options.on_error = [this](const grpc::Status& error) {
      notices_.Write(absl::StrCat("sluice consume: ", error.error_message()));
    };
    return options;
  }

  Verdict Handle(const Message& message) {
    const uint64_t number = ++handled_;
    if (plan_.count > 0 && number > plan_.count) return Nak();  // came before the drain could stop it
    if (plan_.print != ConsumePlan::Print::kNone) out_.Write(Line(message, plan_.print));
    absl::SleepFor(plan_.work);
    if (number == plan_.count) signals_.Wake();
    return Rule(plan_, number);
  }

  const ConsumePlan& plan_;
  Signals signals_;  // before any other thread
  Lines out_;
  Lines notices_;
  std::atomic<uint64_t> handled_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace

int Consume(const ConsumePlan& plan, std::ostream& out, std::ostream& notices) { return Run(plan, out, notices)(); }

}  // namespace sluice::app
