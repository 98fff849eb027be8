#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/message_source.h"

namespace sluice::test {

// A message of the given stream sequence, as JetStream would send it.
inline core::Message MakeMessage(uint64_t sequence, uint64_t num_delivered = 1, absl::string_view data = "data") {
  auto content = std::make_unique<std::string>(data);
  auto* reply = new std::string(absl::StrCat("ack.", sequence, ".", num_delivered));
  core::Message message;
  message.subject = "orders.new";
  message.reply = *reply;
  message.stream_sequence = message.consumer_sequence = sequence;
  message.num_delivered = num_delivered;
  struct Kept {
    std::unique_ptr<std::string> content;
    std::unique_ptr<std::string> reply;
  };
  auto* kept = new Kept{std::move(content), std::unique_ptr<std::string>(reply)};
  message.data = *kept->content;
  message.owner = {kept, [](void* owner) { delete static_cast<Kept*>(owner); }};
  return message;
}

// A source that does nothing by itself: it writes down what core asks for, and the test plays the server by hand
// through `listener`. For tests of one rule at a time. Loop only.
class ScriptedSource final : public core::MessageSource {
 public:
  struct Settled {
    std::string reply;
    core::Verdict verdict;
    absl::Duration nak_delay;
    bool operator==(const Settled& other) const = default;
  };
  struct Confirmation {
    std::string reply;
    core::Verdict verdict;
    uint64_t tag;
    bool is_fence = false;  // without a verdict
  };

  void Start(Listener* started) override { listener = started; }
  void Attach() override { ++attaches; }
  void Pull(const core::PullRequest& request) override { pulls.push_back(request); }
  void Settle(absl::string_view reply, const core::Settlement& settlement) override {
    settled.push_back({std::string(reply), settlement.verdict, settlement.nak_delay});
  }
  void Confirm(absl::string_view reply, const core::Settlement& settlement, uint64_t tag) override {
    confirmations.push_back({std::string(reply), settlement.verdict, tag});
  }
  void Fence(absl::string_view reply, uint64_t tag) override {
    confirmations.push_back({std::string(reply), core::Verdict::kAck, tag, true});
  }
  void RequestInfo() override { ++infos; }
  void RenewPin(absl::string_view pin_id, uint64_t id) override { renewals.push_back({std::string(pin_id), id}); }
  void Unpin() override { ++unpins; }
  void CloseIntake() override { ++closes; }

  // --- the server, played by the test ---

  void ComeUp(const core::ConsumerInfo& info = {}) {
    listener->OnConnection(true);
    listener->OnAttached(info);
  }
  void Send(std::vector<core::Message> messages) { listener->OnMessages(absl::MakeSpan(messages)); }
  void SendRange(uint64_t first, uint64_t last) {
    std::vector<core::Message> messages;
    for (uint64_t sequence = first; sequence <= last; ++sequence) messages.push_back(MakeMessage(sequence));
    Send(std::move(messages));
  }
  // Messages that bear this pin.
  void SendPinned(absl::string_view pin_id, std::vector<core::Message> messages) {
    for (core::Message& message : messages) message.pin_id = pin_id;  // of a constant
    Send(std::move(messages));
  }
  // Ends the last renewal.
  void EndRenewal(core::PullStatus::Kind kind = core::PullStatus::Kind::kExpired) {
    listener->OnPullStatus({kind, renewals.back().id, {}, "status"});
  }
  // Ends the last pull.
  void EndPull(core::PullStatus::Kind kind = core::PullStatus::Kind::kExpired, std::optional<uint64_t> unsent = {}) {
    listener->OnPullStatus({kind, pulls.back().id, unsent, "status"});
  }
  // Answers the last confirmation.
  void Answer(const absl::Status& status = absl::OkStatus()) {
    listener->OnConfirmed(confirmations.back().tag, status);
  }

  struct Renewal {
    std::string pin_id;
    uint64_t id;
  };

  Listener* listener = nullptr;
  int attaches = 0;
  int infos = 0;
  int closes = 0;
  int unpins = 0;
  std::vector<core::PullRequest> pulls;
  std::vector<Renewal> renewals;
  std::vector<Settled> settled;
  std::vector<Confirmation> confirmations;
};

}  // namespace sluice::test
