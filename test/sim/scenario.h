#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/daemon.h"
#include "gtest/gtest.h"
#include "test/support/model_jetstream.h"
#include "test/support/model_source.h"
#include "test/support/recording_stream.h"
#include "test/support/sim_clock.h"
#include "test/support/token_book.h"

namespace sluice::test {

// For one promise at a time: the real core and the model of JetStream, with the apps played by hand.
class Scenario : public testing::Test, public ModelJetStream::Witness {
 protected:
  struct TestDaemon {
    std::unique_ptr<BookTokens> tokens;
    std::unique_ptr<core::Daemon> core;
    uint64_t number = 0;
    ModelSource* source = nullptr;
    std::optional<core::DrainReport> report;  // once drained
    bool exited = false;
  };
  // An app stream and its session, which is null once the stream is over.
  struct TestApp {
    RecordingStream stream;
    core::Session* session = nullptr;
  };
  struct Sent {
    absl::Time time;
    uint64_t sequence;
    uint64_t num_delivered;
    core::Verdict verdict;
  };

  ~Scenario() override;

  // Before the first daemon.
  ModelJetStream::Options server_options;
  ModelSource::Options source_options;
  core::ConsumerOptions options;
  bool with_tokens = false;
  TokenBook book;

  ModelJetStream& server();
  TestDaemon& StartDaemon();
  void Kill(TestDaemon& daemon) {
    daemon.core.reset();
    book.MarkCrashed(daemon.number);
  }
  void Drain(TestDaemon& daemon, absl::Duration timeout);
  void Terminate(TestDaemon& daemon, absl::Duration timeout);

  TestApp& Open(TestDaemon& daemon, core::Credit credit = {}, std::string client_id = "",
                std::vector<uint64_t> resume = {});
  TestApp& OpenWith(TestDaemon& daemon, const core::OpenRequest& request);
  // Verdicts, named by stream sequence.
  void Settle(TestApp& app, const std::vector<uint64_t>& sequences, core::Settlement settlement);
  void Ack(TestApp& app, const std::vector<uint64_t>& sequences) { Settle(app, sequences, {}); }
  void Nak(TestApp& app, const std::vector<uint64_t>& sequences) {
    Settle(app, sequences, {core::Verdict::kNak, absl::ZeroDuration(), {}});
  }
  void Break(TestApp& app) { std::exchange(app.session, nullptr)->OnBroken(); }
  void HalfClose(TestApp& app) { std::exchange(app.session, nullptr)->OnHalfClosed(); }

  void Publish(int count, size_t size = 10);
  absl::Time now() const { return loop_.now(); }
  void RunFor(absl::Duration duration) { loop_.RunFor(duration); }
  // Until it comes true; a failure if it does not within `limit`.
  testing::AssertionResult RunUntil(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(30));

  // What was seen so far.
  std::vector<Sent> sent;  // verdicts, by all daemons
  std::vector<core::PullRequest> pulls;
  int ack_waits_over = 0;
  int delivered_to_nobody = 0;
  uint64_t CountSent(core::Verdict verdict) const;

 private:
  void OnSent(const Attempt& attempt) override { delivered_to_nobody += attempt.owner == 0; }
  void OnAckWaitOver(const Attempt&) override { ++ack_waits_over; }
  void OnPull(int, const core::PullRequest& request) override { pulls.push_back(request); }
  void OnVerdictSent(const Attempt& attempt, const core::Settlement& settlement,
                     ModelJetStream::Sending sending) override;
  void OnMisuse(int, absl::string_view what) override { ADD_FAILURE() << what; }

  SimLoop loop_;
  std::unique_ptr<ModelJetStream> server_;
  std::deque<TestApp> apps_;
  std::deque<TestDaemon> daemons_;
};

inline std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> range;
  for (uint64_t number = first; number <= last; ++number) range.push_back(number);
  return range;
}

}  // namespace sluice::test
