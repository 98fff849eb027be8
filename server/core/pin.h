#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/timers.h"
#include "core/consumer_options.h"
#include "core/message_source.h"
#include "core/takeover.h"

namespace sluice::core {

// Whether this daemon is the active one of its fleet (ordering: exclusive). JetStream pins one client: it alone gets
// messages, until it unpins itself, or until priority_timeout has passed since its last pull. Then the next pull that
// gets a message is pinned, and learns of it by the message's Nats-Pin-Id. Owned by Consumer. Loop only.
//
//   STANDBY --a message with another pin--> GATHERING --all outstanding is here (takeover.h)--> ACTIVE
//      ^                                     |   ^                                                |
//      |<-- the server has another pin ------'---|------------------------------------------------|
//      |                                         | an app comes                                   |
//      '-------- nothing is here any more ----- LEAVING <----- no app would take anything --------'
//
// Three rules keep the order of the fleet when the pin changes hands:
//   - who drains lets its apps finish, NAKs the rest ascending, and unpins last;
//   - who takes over hands out nothing before it has gathered what is outstanding;
//   - who may have lost the pin without knowing hands out nothing until the server has answered. A pull of its own that
//     takes nothing renews the pin, apps with credit or not; its answer says that, when it was sent, the pin was ours
//     and our leases were kept. It counts for priority_timeout, or half of the ack wait if that is shorter, by which
//     the next extension is due; less a tenth, as clocks differ.
// What is here and no app has seen goes back when the pin is lost: its new holder waits for it, as it does for what our
// apps still hold. So what cannot go back, as it is on its last delivery, may still be handed out.
class Pin final : private Takeover::Owner {
 public:
  enum class State { kStandby, kGathering, kActive, kLeaving };

  class Owner {
   public:
    virtual ~Owner() = default;
    // An app would take a message, or holds one.
    virtual bool WantsPin() = 0;
    // No message is here, and none can come by an open pull.
    virtual bool HasNothing() = 0;
    // See Takeover::Owner.
    virtual uint64_t CountHere(uint64_t consumer_sequence) = 0;
    // False: not attached and connected.
    virtual bool RequestInfo() = 0;
    virtual bool RenewPin(const std::string& pin_id, uint64_t id) = 0;
    virtual bool Unpin() = 0;
    virtual void OnPinChanged(State before) = 0;
    // MayHandOut() may be true again.
    virtual void OnPinSure() = 0;
    // What has been up for redelivery at `time` has been delivered, to us if to anyone.
    virtual void OnCaughtUp(absl::Time time) = 0;
    // As of now, from Attach() or CONSUMER.INFO.
    virtual void OnServerInfo(const ConsumerInfo& info) = 0;
    // There may be something to pull, or to tell.
    virtual void OnPinNews() = 0;
    // See Takeover::Owner::OnExcess().
    virtual void NakUnseen() = 0;
    virtual void OnUnpinned() = 0;
  };

  Pin(base::Timers* timers, const ConsumerOptions& options, Owner* owner);

  // --- from Intake ---
  void OnAttached(const ConsumerInfo& info);
  // Before they are taken in.
  void OnMessages(absl::Span<const Message> batch);
  // A pull has ended; `caught_up` as Intake::caught_up().
  void OnPullEnded(absl::Time caught_up);
  // The server says that our pin is no longer in force.
  void OnWrongPin();
  // The consumer has another leader, or will have.
  void OnNewLeader();
  void OnRenewalEnded(const PullStatus& status);
  void OnInfo(const absl::StatusOr<ConsumerInfo>& info);
  void OnUnpinned(const absl::Status& status);
  static bool IsRenewal(uint64_t pull_id) { return (pull_id & kRenewals) != 0; }

  // --- for Consumer ---
  // The pin is no longer renewed, and changes nothing any more.
  void BeginDrain();
  // Apps have come or gone, or have credit again.
  void Reconsider();
  // Something of what is outstanding may not be here.
  void GatherAgain();
  // At the end of the drain. False: there is nothing to wait for.
  bool UnpinLast();

  State state() const { return state_; }
  bool leaving() const { return state_ == State::kLeaving; }
  bool gathering() const { return state_ == State::kGathering; }
  // What no app has seen goes back.
  bool gives_back() const { return state_ == State::kStandby || state_ == State::kLeaving; }
  // Reads the clock: a stall must not go unnoticed.
  bool MayHandOut() const;
  // What comes now was sent at this time or later, however long it has lain in the socket. Answers come in their turn:
  // it was sent after that to the last renewal, and that after the renewal itself. As long as our own timer runs on
  // time, nothing lies there.
  absl::Time SentAfter() const { return draining_ ? timers_->now() : std::max(answered_, awake_); }
  uint64_t wanted() const { return takeover_.wanted(); }
  const std::string& id() const { return id_; }  // empty: not pinned, as far as we know
  bool pinned_elsewhere() const { return state_ == State::kStandby && !elsewhere_.empty(); }
  std::string Detail() const;  // for people: what is waited for

 private:
  static constexpr uint64_t kRenewals = uint64_t{1} << 63;  // in the id of a pull
  static constexpr int kTrusted = 2;
  struct Renewal {
    uint64_t id;
    absl::Time sent;
  };

  // Takeover::Owner
  bool AskInfo() override;
  uint64_t CountHere(uint64_t consumer_sequence) override { return owner_->CountHere(consumer_sequence); }
  void OnTakenOver() override;
  void OnStillMissing() override;
  void OnExcess() override;

  void Change(State state);
  void TakeOver(absl::string_view pin_id);
  void Gather();
  void Lose();
  void Tick();
  void NoteAwake();
  void Leave();
  void Renew();
  void NotePinned(const std::string& pin_id);

  base::Timers* const timers_;
  const ConsumerOptions& options_;
  Owner* const owner_;
  Takeover takeover_;

  State state_ = State::kStandby;
  bool draining_ = false;
  std::string id_;
  std::string elsewhere_;  // in STANDBY: the pin of another client, as of the last answer
  std::string told_;       // Detail() as of the last news
  absl::Time told_at_ = absl::InfinitePast();

  absl::Duration priority_timeout_;
  absl::Duration ack_wait_ = absl::ZeroDuration();
  absl::Duration fence_;  // how long an answer counts
  absl::Time sure_until_ = absl::InfinitePast();
  absl::Time ours_until_ = absl::InfinitePast();  // the server has not pinned another by then, unless it was told to
  uint64_t last_renewal_ = 0;
  std::deque<Renewal> renewals_;                // not answered, of this pin
  absl::Time answered_ = absl::InfinitePast();  // when the last one that is answered was sent
  absl::Time caught_up_ = absl::InfinitePast();
  absl::Time caught_up_known_ = absl::InfinitePast();  // when we learnt of caught_up_

  uint64_t infos_ = 0;        // asked and not answered
  uint64_t stale_infos_ = 0;  // of them, asked before the pin changed
  absl::Time next_watch_ = absl::InfinitePast();
  base::Timer tick_;
  absl::Time tick_due_ = absl::InfiniteFuture();
  int ticks_on_time_ = kTrusted;             // in a row
  absl::Time awake_ = absl::InfinitePast();  // the last time that this process was, and had read all that had come
};

}  // namespace sluice::core
