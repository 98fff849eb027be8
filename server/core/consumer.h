#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/timers.h"
#include "core/ack_floor.h"
#include "core/app_health.h"
#include "core/app_stream.h"
#include "core/consumer_options.h"
#include "core/counters.h"
#include "core/dead_letters.h"
#include "core/delivery_token.h"
#include "core/dispatcher.h"
#include "core/drain.h"
#include "core/gone_delivery.h"
#include "core/histogram.h"
#include "core/in_flight.h"
#include "core/intake.h"
#include "core/lanes.h"
#include "core/lease_keeper.h"
#include "core/message_source.h"
#include "core/outbox.h"
#include "core/pin.h"
#include "core/redelivery.h"
#include "core/session.h"
#include "core/unary_access.h"

namespace sluice::core {

// One durable: what comes from JetStream (Intake), who gets it (Dispatcher, Session), how long it may stay
// (LeaseKeeper), in which order (Lanes), what became of it (Redelivery, DeadLetters, Outbox), and its drain. Shares
// nothing with other consumers. Loop only.
class Consumer final : private Intake::Owner,
                       private LeaseKeeper::Owner,
                       private Outbox::Owner,
                       private Lanes::Owner,
                       private DeadLetters::Owner,
                       private Pin::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnStreamEnded() = 0;
    virtual void OnDrained() = 0;
  };
  // Of this moment.
  struct Gauges {
    uint64_t streams = 0;          // open app streams, without calls
    uint64_t in_flight = 0;        // messages with apps
    uint64_t buffered = 0;         // received, not given to an app yet
    uint64_t num_pending = 0;      // not delivered to any pod yet: see Backlog
    uint64_t num_ack_pending = 0;  // with all pods, without a verdict: the same
  };

  // `sink` may be null if there are no dead letters, `tokens` if there are no tokens.
  Consumer(base::Timers* timers, const ConsumerOptions& options, std::unique_ptr<MessageSource> source, Owner* owner,
           std::unique_ptr<DeadLetterSink> sink = nullptr, const TokenCodec* tokens = nullptr);
  ~Consumer() override;

  // --- for Daemon and for status ---

  // See Daemon::Open().
  absl::StatusOr<Session*> Open(const OpenRequest& request, AppStream* stream);
  // Fetch and Settle.
  UnaryAccess& unary() { return unary_; }
  // Goes through all phases by itself; Owner::OnDrained() ends it. Once.
  void BeginDrain(absl::Time deadline);
  // No app will come back any more: what is kept for a resume is given back now.
  void EndResumeWindows();

  const ConsumerOptions& options() const { return options_; }
  ConsumerState state() const { return told_.state; }
  const std::string& state_detail() const { return told_.detail; }
  DrainPhase phase() const { return drain_.phase(); }
  bool draining() const { return drain_.active(); }
  absl::Duration ack_wait() const { return intake_.info().ack_wait; }  // JetStream's default until NATS was reached
  const DrainReport& drain_report() const { return drain_.report(); }
  absl::Duration drain_elapsed() const { return drain_.elapsed(); }
  // From handing a message to its app until the app's verdict. Not of what an app brought from another daemon.
  const Histogram& process_duration() const { return process_duration_; }
  // From sending a verdict until JetStream's answer, of those that are asked about (outbox.h).
  const Histogram& ack_duration() const { return outbox_.ack_duration(); }
  Counters counters() const;
  Gauges gauges() const;

  // Whether a token of another daemon process still names a message of this durable; the error is for people.
  absl::Status CheckToken(const DeliveryToken& token) const;

  // --- for Session ---

  Delivery* Find(uint64_t id) { return in_flight_.Find(id); }
  // Applies a verdict on a delivery that its session holds. False: it came too late.
  bool Settle(Delivery* delivery, const Settlement& settlement);
  // Of a stream whose `Opened` waits for the server: tells it now.
  void Admit(uint64_t number);
  // The token that another daemon process can settle it by: a view of `sealed`. Empty: none.
  absl::string_view Seal(const Delivery& delivery, std::string* sealed);
  // The same for a frame that is handed over at once, in memory that the next one uses again. `place`: in it, from 0.
  absl::string_view SealForFrame(const Delivery& delivery, size_t place);
  // Queued deliveries go back to the siblings.
  void TakeBack(absl::Span<Delivery* const> queued);
  // Deliveries that no app will settle go back to JetStream, ascending.
  void GiveBack(absl::Span<Delivery* const> deliveries);
  // What an app leaves unfinished: back to JetStream; with ordering: key to the siblings, so that it keeps its place.
  void HandBack(Session* session) { HandBack(session, session->Held()); }
  void HandBack(Session* session, absl::Span<Delivery* const> held);
  // Hands out what can be, and asks for more: the end of every event that may have changed either.
  void Pump();
  void SetEligible(Session* session, bool eligible) { dispatcher_.SetEligible(session, eligible); }
  // False: another pod of the fleet may be the active one. Sessions ask before each frame.
  bool MayHandOut() const { return pin_ == nullptr || drain_.active() || pin_->MayHandOut(); }
  void OnGiven(uint64_t count);
  // The daemon's drain waits for what becomes of it.
  void Await(Delivery* delivery);
  // On what is held no more: an ACK still spares everyone a duplicate. Pump() afterwards.
  void ForwardAck(const GoneDelivery& gone, Outbox::Claim claim);
  void ForwardLateAck(uint64_t id, const GoneDelivery& gone);
  void CountNotHeld(uint64_t count) { counters_.not_held += count; }
  void OnStreamHalfClosed(Session* session);
  void OnStreamBroken(Session* session);
  void OnResumeWindowOver(Session* session);
  // The app's drain of this session is over but for the server's answer.
  void ConfirmSession(uint64_t number);

 private:
  // Intake::Owner
  Demand GetDemand() override;
  uint64_t InFlightCount() override { return in_flight_.size(); }
  void OnArrivals(absl::Span<Message> batch) override;
  void OnPullEnded() override;
  void OnConfirmed(uint64_t tag, const absl::Status& status) override { outbox_.OnConfirmed(tag, status); }
  void OnConnection(bool connected) override;
  void OnStateChanged(ConsumerState state, const std::string& detail) override;
  // LeaseKeeper::Owner
  bool ExtendLease(const Delivery& delivery) override;
  void OnLeasesEnded(absl::Span<Delivery* const> deliveries) override;
  // Outbox::Owner
  void OnResults(uint64_t session, SettleOutcome outcome, std::vector<uint64_t> ids, std::string detail) override;
  // Lanes::Owner
  void OnRetryDue() override { Pump(); }
  // DeadLetters::Owner (consumer_dead_letters.cc, as all of the next four)
  void OnDeadLetterStored(Delivery* delivery) override;
  bool OnDeadLetterFailed(Delivery* delivery, DeadLetterReason reason, absl::Duration retry) override;
  void OnGivenUpDone(bool stored) override;
  void OnTrouble() override;

  // Pin::Owner (consumer_exclusive.cc)
  bool WantsPin() override;
  bool HasNothing() override;
  uint64_t CountHere(uint64_t consumer_sequence) override;
  bool RequestInfo() override;
  bool RenewPin(const std::string& pin_id, uint64_t id) override;
  bool Unpin() override;
  void OnPinChanged(Pin::State before) override;
  void OnPinSure() override;
  void OnCaughtUp(absl::Time time) override { lanes_->OnCaughtUp(time); }
  void OnServerInfo(const ConsumerInfo& info) override;
  void OnPinNews() override;
  void NakUnseen() override;
  void OnUnpinned() override;

  void HandOver(Session* predecessor, Session* session, const std::vector<uint64_t>& resume);
  void TakeBackLost(Session* predecessor);
  void OnHealthChanged();
  void HandOut();
  void TellState();
  void TellOpened(Session* session, const OpenRequest& request, OpenedNotice opened = {});
  void EndSession(Session* session);
  void NoteDeparture(const Session* session);
  void Unlink(Delivery* delivery);
  void Remove(Delivery* delivery);
  void PutBack(Delivery* delivery);
  void GiveBackOne(Delivery* delivery);
  void Release(Delivery* delivery);
  void FlushReleases();
  bool NakWouldBounce();
  // Draining, and past the point from which no app is given anything.
  bool fenced() const { return drain_.active() && !drain_.nak_would_bounce(); }
  bool IsLastAttempt(const Delivery& delivery) const;
  void Tally(Session* session, uint64_t DrainReport::*count);
  void ArmReadyTimer();

  // Failures, and order (consumer_order.cc).
  void OnFailed(Delivery* delivery, absl::Duration asked);
  void SendNak(Delivery* delivery, absl::Duration delay);
  void Retry(Delivery* delivery, absl::Duration delay);
  void Defer(Delivery* delivery);
  void AddToLane(Delivery* delivery);
  void StartLanes();
  void LeaveLane(Delivery* delivery);
  void DropUnseenTwins(const Delivery& acked);
  void LoseFromLane(Delivery* delivery);
  Credit WaitingLimit() const;
  void CountLanes(Demand* demand) const;
  void GiveBackLatest();
  bool HasSibling(const Session* session) const;

  // Of ordering: exclusive (consumer_exclusive.cc).
  Demand GatherDemand() const;
  void KeepUnseen();
  bool GivesBack() const { return pin_ != nullptr && !drain_.active() && pin_->gives_back(); }
  absl::Duration CapDelay(const Delivery& delivery, absl::Duration delay) const;

  // Of ack_policy: all (consumer_ack_floor.cc); without it the first is all there is to it.
  void Finish(Delivery* delivery, const Settlement& settlement, Outbox::Claim claim);
  void PassOnAck(const Delivery& acked, Outbox::Claim claim = {});
  bool IsDone(const Delivery& delivery) const;
  uint64_t MayStartUpTo() const;
  uint64_t NakAs() const { return floor_ == nullptr ? 0 : std::max(floor_->consumer_sequence(), delivered_); }
  void KeepFinished(Delivery* delivery);
  void AckFinished();
  void HoldFinished();
  bool WillBeAcked() const;
  void WatchTheFloor();
  void GiveBackFinished();
  void FailUnacked();
  void RemoveFinished(const AckFloor::Run& settled);
  void OnAllHere();

  // Dead letters (consumer_dead_letters.cc).
  std::optional<DeadLetterReason> ReasonAfter(const Delivery& delivery, Verdict verdict) const;
  bool MayBury(const Delivery& delivery) const;
  bool LacksItsLetter(const Delivery& delivery, Verdict verdict) const;
  bool IsPastMaxDeliveries(const Delivery& delivery) const;
  void Bury(Delivery* delivery, DeadLetterReason reason, absl::string_view detail = "");
  void NoteVerdict(const Delivery& delivery, Verdict verdict);
  void FailDeadLetterClaims(uint64_t session, const std::string& detail);
  void EndDeadLetters();
  void NameGivenUp();

  // What apps bring back by token (consumer_resume.cc).
  struct Claim {
    uint64_t held_id;
    absl::StatusOr<DeliveryToken> token;
  };
  struct WaitingOpen {
    explicit WaitingOpen(base::Timers* timers) : timeout(timers) {}
    OpenRequest request;
    std::vector<Claim> claims;
    base::Timer timeout;
  };
  std::vector<Claim> ReadTokens(const OpenRequest& request) const;
  std::vector<uint64_t> Named(const OpenRequest& request, const std::vector<Claim>& claims) const;
  void Welcome(Session* session, const OpenRequest& request, std::vector<Claim> claims);
  void AdmitWaiting();
  static std::vector<Claim> LatestAttemptsFirst(std::vector<Claim> claims);
  void Adopt(Session* session, std::vector<Claim> claims, OpenedNotice* opened);
  absl::StatusOr<Delivery*> FindOrAdopt(Session* session, const DeliveryToken& token,
                                        absl::flat_hash_map<uint64_t, Delivery*>* here);
  Delivery* MakeForeign(const DeliveryToken& token);
  void PutWithApp(Session* session, Delivery* delivery);
  void Occupy(Delivery* delivery, absl::string_view key);
  bool Merge(Message& message, absl::Time sent);
  void NoteNaked(const Delivery& delivery);
  void NakForeign(Delivery* delivery, absl::Duration asked);
  void Forsake(Delivery* delivery);

  // The drain, in its order (consumer_drain.cc).
  void OnFenced();
  void HandOutLastAttempt(Delivery* delivery);
  void NameUnsettled(const Delivery& delivery);
  void OnDrainDeadline();
  void CheckSettled();
  void OnDrainConfirmed(uint64_t unconfirmed);
  void FinishDrain();

  base::Timers* const timers_;
  const ConsumerOptions options_;
  const std::unique_ptr<MessageSource> source_;
  Owner* const owner_;

  StateNotice upstream_ = {ConsumerState::kNatsDown, "connecting to NATS"};
  StateNotice told_ = upstream_;  // the same, unless the apps themselves are the trouble
  Counters counters_;
  Histogram process_duration_;
  uint64_t held_ = 0;  // deliveries HELD

  InFlight in_flight_;
  LeaseKeeper leases_;
  Outbox outbox_;
  Redelivery redelivery_;
  DeadLetters dead_letters_;
  Dispatcher dispatcher_;
  AppHealth health_;
  std::unique_ptr<Lanes> lanes_;     // null: no order
  std::unique_ptr<Pin> pin_;         // null: not ordering: exclusive
  std::unique_ptr<AckFloor> floor_;  // null: ack_policy: explicit
  DeliveryList finishing_;           // FINISHED: just now
  DeliveryList finished_;            // FINISHED: behind one that is not
  uint64_t finished_count_ = 0;      // in both
  int64_t floor_of_ns_ = 0;          // when the durable was made that the floor is of
  uint64_t delivered_ = 0;           // its last consumer sequence, by the server's last word
  uint64_t blocked_by_ = 0;          // the floor's; 0: nothing
  absl::Time blocked_since_ = absl::InfinitePast();
  DeliveryList releasing_;
  base::Timer ready_timer_;

  uint64_t last_session_ = 0;
  std::map<uint64_t, std::unique_ptr<Session>> sessions_;  // by number, so that replays go through them in one order
  absl::flat_hash_map<std::string, Session*> by_client_id_;
  bool departed_ = false;  // the last app ended its stream itself, so that none is on its way back

  UnaryAccess unary_;
  const TokenCodec* const tokens_;
  DeliveryToken sealing_;                             // kept for its names, and its capacity
  std::deque<std::string> frame_tokens_;              // kept for its capacity
  absl::flat_hash_map<uint64_t, Delivery*> adopted_;  // by stream sequence: foreign and HELD
  // Foreign ones that were NAKed, by stream sequence: until then a token may seem to hold still.
  absl::flat_hash_map<uint64_t, absl::Time> naked_;
  std::map<uint64_t, WaitingOpen> waiting_opens_;  // by session: until the server has told of the durable

  Drain drain_;
  absl::Time drain_deadline_;
  base::Timer drain_timer_;

  Intake intake_;  // last: it calls into the others
};

}  // namespace sluice::core
