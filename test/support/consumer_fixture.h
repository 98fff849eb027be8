#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/daemon.h"
#include "test/support/recording_stream.h"
#include "test/support/scripted_dead_letters.h"
#include "test/support/scripted_source.h"
#include "test/support/sim_clock.h"

namespace sluice::test {

// A daemon with one consumer, "orders", whose server and apps are played by the test.
class ConsumerFixture : public testing::Test {
 protected:
  // Call first; the source belongs to the daemon.
  void Start(const core::ConsumerInfo& info = {}) {
    options_.name = "orders";
    options_.stream = "ORDERS";
    options_.durable = "orders";
    auto source = std::make_unique<ScriptedSource>();
    source_ = source.get();
    std::unique_ptr<ScriptedDeadLetters> dead_letters;
    if (options_.dead_letter.enabled()) {
      dead_letters = std::make_unique<ScriptedDeadLetters>();
      dead_letters_ = dead_letters.get();
    }
    daemon_.AddConsumer(options_, std::move(source), std::move(dead_letters));
    source_->ComeUp(info);
  }

  core::Session* Open(RecordingStream* stream, uint32_t credit = 10, const std::string& client_id = "",
                      std::vector<uint64_t> resume = {}) {
    core::OpenRequest request;
    request.consumer = "orders";
    request.client_id = client_id;
    request.credit.messages = credit;
    request.resume = std::move(resume);
    auto session = daemon_.Open(request, stream);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *session : nullptr;
  }

  static void Settle(core::Session* session, std::vector<uint64_t> ids, core::Verdict verdict = core::Verdict::kAck,
                     absl::Duration nak_delay = absl::ZeroDuration()) {
    const core::SettleRun run = {ids, {verdict, nak_delay, {}}};
    session->OnSettle({&run, 1});
  }

  // "ACK ack.1.1", ... as sent to the server; extensions of leases are left out.
  std::vector<std::string> Sent() const {
    static constexpr const char* kNames[] = {"ACK", "NAK", "TERM", "WPI"};
    std::vector<std::string> sent;
    for (const auto& settled : source_->settled) {
      if (settled.verdict == core::Verdict::kInProgress) continue;
      sent.push_back(absl::StrCat(kNames[static_cast<int>(settled.verdict)], " ", settled.reply));
    }
    return sent;
  }

  // Plays the server's part of a drain to its end.
  void Fence() {
    if (source_->closes == 0) source_->EndPull();
    source_->listener->OnIntakeClosed();
    source_->listener->OnInfo(core::ConsumerInfo());
  }
  void ConfirmLast() {
    if (!source_->confirmations.empty()) source_->Answer();
    loop_.RunFor(absl::ZeroDuration());
  }

  core::Consumer& consumer() { return *daemon_.consumers().front(); }

  SimLoop loop_;
  core::ConsumerOptions options_;
  core::Daemon daemon_{&loop_.timers()};
  ScriptedSource* source_ = nullptr;
  ScriptedDeadLetters* dead_letters_ = nullptr;  // null: there are none
};

using Strings = std::vector<std::string>;
using Numbers = std::vector<uint64_t>;

}  // namespace sluice::test
