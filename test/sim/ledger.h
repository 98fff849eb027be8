#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/timers.h"
#include "core/app_stream.h"
#include "core/consumer_options.h"
#include "core/delivery.h"
#include "core/drain_report.h"
#include "core/fetch.h"
#include "core/fetched.h"
#include "core/settlement.h"
#include "test/sim/trace.h"
#include "test/support/model_dead_letters.h"
#include "test/support/model_jetstream.h"
#include "test/support/token_book.h"

namespace sluice::test {

// What becomes of every message, seen from outside of core, and the judge of section 1 of the design: each promise is
// one rule here with a message of its own. It knows of every mishap, and so which exceptions they explain. The first
// breach ends the simulation. Loop only.
class Ledger final : public ModelJetStream::Witness, public ModelDeadLetterStream::Witness {
 public:
  // `calm_nats`: NATS has no mishaps, so that nothing excuses what is late there.
  Ledger(const base::Timers* timers, Trace* trace, const TokenBook* book, bool calm_nats)
      : timers_(timers), trace_(trace), book_(book), calm_nats_(calm_nats) {}

  void Watch(const ModelJetStream* server) { server_ = server; }
  void Watch(const ModelDeadLetterStream* dead_letters) { dead_letters_ = dead_letters; }
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  void Fail(std::string what);

  // --- daemons, each start of one with a number of its own ---
  void OnDaemonStarted(int daemon, const core::ConsumerOptions& options);
  void OnDrain(int daemon, absl::Time deadline);
  void OnDrained(int daemon, const core::DrainReport& report);
  void OnDaemonGone(int daemon, bool killed);
  void OnStall(int daemon, bool stalled);
  bool alive(int daemon) const { return !daemons_.at(daemon).gone; }

  // --- mishaps ---
  void OnLeaderless(absl::Time until);
  void OnConsumerDeleted();

  // --- app streams, at the daemon; each with a number of its own ---
  void OnStreamOpening(int stream, int daemon, const core::OpenRequest& request);
  void OnStreamRefused(int stream) { streams_.erase(stream); }
  void OnGiven(int stream, absl::Span<const core::Delivery* const> batch);
  void OnTold(int stream, const core::Notice& notice);
  void OnFinished(int stream, const absl::Status& status);
  void OnCredit(int stream, core::Credit credit);
  void OnAppDrain(int stream, absl::Time deadline);
  void OnBroken(int stream);
  void OnHalfClosed(int stream);
  // Around Session::OnSettle().
  void BeforeSettle(int stream, absl::Span<const core::SettleRun> runs);
  void AfterSettle(int stream);

  // --- calls (ledger_unary.cc): a Fetch is a stream that is given messages once, and then has a lease on them ---
  void OnFetching(int stream, int daemon, const core::FetchRequest& request);
  void OnFetched(int stream, const core::FetchResult& result);
  // While it waited, or the answer did not reach it.
  void OnCallerGone(int stream);
  // The answer to a Settle, in place of AfterSettle().
  void OnSettleAnswered(int stream, absl::Span<const uint64_t> ids, const core::SettleAnswers& answers);
  // Some time after the lease, or after the caller went away.
  void CheckReturned(int stream);

  // --- at the apps ---
  // The app has done its work on it, and now says ACK or TERM.
  void OnHandled(uint64_t attempt);

  // --- at the end ---
  void CheckAllSettled();
  void CheckDeadLetters();

  uint64_t handled_twice() const { return handled_twice_; }
  uint64_t drains() const { return drains_; }
  uint64_t adopted() const { return adopted_; }
  uint64_t merged() const { return merged_; }
  uint64_t refused() const { return refused_; }

  // ModelJetStream::Witness
  void OnSent(const Attempt& attempt) override;
  void OnAckWaitOver(const Attempt& attempt) override;
  void OnSentToTheDead(const Attempt& attempt) override;
  void OnVerdictLost(const Attempt& attempt) override;
  void OnSettled(const Attempt& by, core::Verdict verdict) override;
  void OnSettledUpTo(const Attempt& by, const Attempt& settled) override;
  void OnNaked(const Attempt& by, const Attempt& current) override;
  void OnExhausted(const Attempt& attempt) override;
  void OnLink(int owner, bool up) override;
  void OnPull(int owner, const core::PullRequest& request) override;
  void OnPullStatus(int owner, core::PullStatus::Kind kind) override;
  void OnIntakeClosed(int owner) override;
  void OnInfoRequested(int owner) override;
  void OnUnpin(int owner) override;
  void OnReceived(const Attempt& attempt) override;
  void OnVerdictSent(const Attempt& attempt, const core::Settlement& settlement,
                     ModelJetStream::Sending sending) override;
  void OnMisuse(int owner, absl::string_view what) override;

  // ModelDeadLetterStream::Witness
  void OnLetterSent(int owner, const core::DeadLetter& letter) override;
  void OnLetterAnswered(int owner, uint64_t stream_sequence, bool stored) override;
  void OnLetterStored(uint64_t stream_sequence, const std::string& id) override;
  void OnAdvisory(int owner, uint64_t stream_sequence) override;

 private:
  // Of one attempt.
  struct Fate {
    int stream = 0;  // that it was given to last
    bool received = false;
    uint64_t received_event = 0;  // in the order of events, of which an instant may have many, after a stall above all
    bool seen = false;            // an app was given it
    bool expired = false;         // its lease ended
    bool awaited = false;         // a drain counts it
    bool lost = false;            // it, or a verdict on it, got lost at the server
    bool naked = false;           // the server has acted on its NAK
    bool wait_over = false;       // its ack wait ran out: it is nobody's
    bool acked_late = false;
    bool acked_before = false;                       // its app said ACK, and has brought it back since
    bool taken = false;                              // by a late NAK on an earlier attempt
    absl::Time lease_from;                           // received, or the last in-progress of its app
    absl::Time given_at = absl::InfinitePast();      // the last time
    absl::Time own_deadline;                         // what the daemon may count on
    absl::Time ends_first = absl::InfiniteFuture();  // it came after a stall: when the daemon may take that for over
    size_t bytes = 0;
    std::optional<core::Verdict> said;  // by its app, in time, and heard by core
    absl::Time said_at;
    std::optional<core::Verdict> sent;  // to the server: ack, nak, term
    absl::Time sent_at = absl::InfinitePast();
    absl::Time nak_due = absl::InfinitePast();  // of a delayed NAK
    // Of ordering: key.
    uint64_t failures = 0;                        // NAKs of its apps
    absl::Time retry_due = absl::InfinitePast();  // not before
    bool replaced = false;                        // unseen, by another attempt at its message
    bool acked_by_twin = false;                   // replaced so, and an app here has acked that one
    bool acked_by_namesake = false;               // the same, of another durable of the name: may still be here
    // Of dead letters.
    bool said_in_drain = false;  // its verdict came while its daemon or its app was draining
    bool buried = false;         // its dead letter was sent
    bool letter_failed = false;  // and was not stored, or nobody knows
    bool letter_stored = false;  // and its daemon knows
    std::string letter_decided;  // when, as the letter says
    // Brought back by token (ledger_resume.cc).
    int adopter = 0;  // the daemon that has it; 0: the one it was sent to
    absl::Time adopted_at = absl::InfinitePast();
    absl::Time extended_at = absl::InfinitePast();     // by who adopts it
    absl::Time in_progress_at = absl::InfinitePast();  // the last one, of anyone
    absl::Time settled_at = absl::InfiniteFuture();    // on the server, by a verdict on it
    bool foreign = false;                              // its content is not with its daemon
    bool in_doubt = false;                             // JetStream may have delivered it again
    bool let_go = false;                               // in doubt, and its app said NAK or TERM
  };
  struct DaemonRecord {
    core::ConsumerOptions options;
    absl::Time started;
    bool draining = false;
    bool intake_closed = false;
    absl::Time intake_closed_at;
    bool info_requested = false;  // since then
    bool drained = false;
    bool killed = false;
    absl::Time killed_at = absl::InfiniteFuture();
    bool gone = false;
    bool turbulent = false;  // a stream ended, or its credit shrank: order and window have an excuse
    absl::Time drain_began;
    absl::Time drain_deadline;
    core::DrainReport report;
    uint64_t awaited = 0;
    absl::Time link_up_since = absl::InfiniteFuture();
    bool linked = false;
    absl::Time went_on_at = absl::InfinitePast();  // after a stall
    absl::Time pulled_at = absl::InfinitePast();
    std::string pin_id;                                 // of the last message that it received
    std::unordered_map<uint64_t, uint64_t> attempt_of;  // by delivery id
    // The NAKs of this instant, to see that they ascend.
    absl::Time caller_gone = absl::InfinitePast();  // of a Fetch, which may have got something without our knowing
    bool departed = false;                          // the last app has ended its stream itself, and no other has come
    absl::Time told_of_leader_at = absl::InfinitePast();  // by a pull that ended so
    absl::Time release_time;
    struct Released {
      uint64_t sequence = 0;
      uint64_t event = 0;
    };
    std::map<int, Released> last_released;  // by stream; 0: no app had seen it
    // Of app_health.
    std::deque<absl::Time> naks;  // in a row
    bool probing = false;
    uint64_t probe = 0;  // the last one; 0: none yet
    // Of ordering: key.
    std::map<std::string, std::vector<uint64_t>> received_by_key;  // attempts
    std::map<std::string, Released> last_released_by_key;          // of this instant

    bool linked_at(absl::Time time) const { return link_up_since <= time; }
    bool ordered() const { return options.ordering != core::Ordering::kNone; }
    bool exclusive() const { return options.ordering == core::Ordering::kExclusive; }
  };
  struct StreamRecord {
    int daemon = 0;
    core::OpenRequest request;
    core::Credit credit;
    std::map<uint64_t, uint64_t> held;  // delivery id -> attempt; with the expired ones
    size_t held_bytes = 0;
    uint64_t last_first_delivery = 0;
    bool open = true;
    bool broken = false;
    bool replaced = false;  // by a stream of the same client id
    absl::Time broken_at;
    bool app_drains = false;
    absl::Time app_deadline;
    bool opened_told = false;
    bool draining_told = false;
    bool drained_told = false;
    struct Claim {
      uint64_t attempt;
      bool ours;  // tried again from here, so that the daemon itself has the word
    };
    std::map<uint64_t, Claim> claims;  // by delivery id: verdicts that wait for the server's word
    std::vector<uint64_t> expect_not_held;
    std::vector<uint64_t> told_not_held;

    // Of a Fetch.
    bool unary = false;
    bool answered = false;
    absl::Duration lease;
    absl::Time gone_at = absl::InfiniteFuture();
    std::vector<uint64_t> fetched;  // attempts

    bool holds(uint64_t id) const { return held.contains(id); }
  };

  absl::Time now() const { return timers_->now(); }
  Fate& FateOf(const Attempt& attempt) { return fates_[attempt.number]; }
  bool LastAttempt(const Attempt& attempt) const;
  absl::Duration AckWait(const Attempt& attempt) const;
  // Its lease has ended, told or not.
  bool Expired(const Attempt& attempt, const Fate& fate) const;
  // By its stream, which may be broken.
  bool IsHeld(const Attempt& attempt, const Fate& fate) const;
  // Since when the daemon has had a connection and the server a leader; InfiniteFuture: has not.
  absl::Time HealthySince(int daemon) const;

  // What is wrong with it; null: nothing.
  bool IsBeyondItsLease(const Attempt& attempt, const Fate& fate) const;
  const char* BlameForAck(const Fate& fate, bool link_renewed) const;
  const char* BlameForNak(const Attempt& attempt, const Fate& fate, bool pull_open) const;
  const char* BlameForRelease(const Attempt& attempt, const Fate& fate) const;
  const char* BlameForWaiting(const Attempt& attempt, const Fate& fate) const;
  const char* BlameForGiving(const StreamRecord& record, const Attempt& attempt, const Fate& fate) const;
  // The order within a key (ledger_order.cc).
  std::string KeyOf(const Attempt& attempt) const;
  void OnReceivedInOrder(const Attempt& attempt);
  void ReplaceTwins(const Attempt& acked, int daemon);
  bool Exhausted(const Attempt& attempt, const Fate& fate) const;
  bool Finished(const Attempt& attempt, const Fate& fate) const;
  bool WithAnApp(const Attempt& attempt, const Fate& fate) const;
  bool OnItsWayBack(const Attempt& attempt, const Fate& fate) const;
  bool CameByAnotherDaemon(const Attempt& attempt) const;
  bool FollowsItsPredecessor(const Attempt& attempt) const;
  bool IsBeyondTheShare(const Attempt& attempt) const;
  void OnAppHealth(DaemonRecord& daemon, core::Verdict verdict);
  void CheckProbe(DaemonRecord& daemon, const Attempt& attempt, size_t frame);
  void CheckOrder(const Attempt& attempt, absl::Time taken);
  const char* BlameForOrder(const Attempt& attempt, const Attempt& other, absl::Time taken) const;
  const char* BlameForRetry(const Attempt& attempt, const Fate& fate) const;
  const char* BlameForNoRetry(const Attempt& attempt, const Fate& fate) const;
  core::Credit WaitingShare(int daemon) const;
  // The order in the fleet (ledger_exclusive.cc).
  void CheckFleetOrder(const Attempt& attempt);
  const char* BlameForFleetOrder(const Attempt& attempt, const Attempt& other) const;
  bool StandsBy(int daemon) const;
  absl::Duration Fence() const;
  bool NobodyWants(int daemon) const;
  absl::Time SentAfter(const DaemonRecord& daemon) const;
  bool GathersAnew(int daemon) const;
  bool MayHaveMiscounted(int daemon, const Attempt& missing) const;
  bool LeaseIsOver(const StreamRecord& stream, const Fate& fate) const {
    return stream.unary && now() >= fate.lease_from + stream.lease;
  }
  // Dead letters (ledger_dead_letters.cc).
  bool LacksItsLetter(const Attempt& attempt, const Fate& fate) const;
  bool Buries(const Attempt& attempt) const { return daemons_.at(attempt.owner).options.dead_letter.enabled(); }
  bool HasFailedForGood(const Attempt& attempt, const Fate& fate) const;
  bool IsBeingBuried(const Attempt& attempt, const Fate& fate) const;
  const char* BlameForLetter(const Attempt& attempt, const Fate& fate, core::DeadLetterReason reason) const;
  const char* BlameForTerm(const Attempt& attempt, const Fate& fate) const;
  void OnBuried(const Attempt& attempt, Fate& fate);
  const char* BlameForNakOfLetter(const Attempt& attempt, const Fate& fate) const;
  // ack_policy: all (ledger_ack_all.cc).
  bool DoneByAnApp(const Attempt& attempt, const Fate& fate) const;
  bool DoneByAnApp(uint64_t stream_sequence) const;
  bool IsAboutToBeGivenUp(const Attempt& attempt) const;
  bool GoesBackFinished(const Fate& fate) const { return fate.said && fate.sent == core::Verdict::kNak; }
  bool IsReleasedLast(const Attempt& attempt, const Fate& fate) const;
  void OnRunSent(const Attempt& last, int daemon);
  void CheckUnacked(const Attempt& attempt);
  const char* BlameForNakOfFinished(const Attempt& attempt, const Fate& fate) const;
  // Crash resume (ledger_resume.cc).
  int OwnerOf(const Attempt& attempt) const;
  const Attempt* AttemptOf(const core::OpenRequest& request, uint64_t held_id) const;
  const core::DeliveryToken* TokenOf(const StreamRecord& record, const Attempt& attempt) const;
  std::set<uint64_t> OwnIds(const StreamRecord& record) const;
  std::map<uint64_t, const Attempt*> Foreign(const StreamRecord& record, const core::OpenedNotice& opened);
  void OnAdopted(int stream, uint64_t id, const Attempt& attempt);
  void Adopt(const StreamRecord& record, Fate& fate, const Attempt& attempt);
  const Attempt& Redelivered(int daemon, const Attempt& attempt) const;
  void CheckRefusals(int stream, const core::OpenedNotice& opened);
  void MergeIntoAdopted(const Attempt& again);
  const char* BlameForGivingBesideItsApp(const Attempt& attempt) const;
  bool ExtendedInDoubt(const Attempt& naked) const;
  bool IsForsaken(const Fate& fate) const;
  bool IsComingBack(const StreamRecord& stream) const;
  void NoteDeparture(int stream);
  bool MayBeAdopting(const Attempt& attempt, core::Verdict verdict, int daemon) const;
  const char* BlameForReport(const DaemonRecord& record) const;
  void CheckReleaseOrder(const Attempt& attempt, const Fate& fate);
  void CheckNothingLeft(int daemon);
  void OnOpened(int stream, const core::OpenedNotice& opened);
  void TakeOver(int stream, const std::set<uint64_t>& resumed, const std::map<uint64_t, const Attempt*>& foreign);
  void OnLeasesEnded(int stream, const core::LeasesEndedNotice& ended);
  void OnResult(StreamRecord& record, core::SettleOutcome outcome, uint64_t id);
  uint64_t AwaitHeld(int daemon);
  void LetGo(StreamRecord& stream, uint64_t id);
  void LetGoOf(StreamRecord& stream, uint64_t attempt);

  const base::Timers* const timers_;
  Trace* const trace_;
  const TokenBook* const book_;
  const bool calm_nats_;
  const ModelJetStream* server_ = nullptr;
  const ModelDeadLetterStream* dead_letters_ = nullptr;
  std::string failure_;

  uint64_t events_ = 0;  // receipts and releases
  std::deque<const Attempt*> attempts_;
  std::deque<Fate> fates_;  // by number of the attempt
  std::map<int, DaemonRecord> daemons_;
  std::map<int, StreamRecord> streams_;
  std::unordered_map<uint64_t, std::vector<uint64_t>> handled_;                  // stream sequence -> attempts
  std::map<uint64_t, std::string> letter_ids_;                                   // stream sequence -> Nats-Msg-Id
  std::map<std::pair<int, uint64_t>, std::vector<uint64_t>> letters_under_way_;  // daemon, sequence -> attempts
  std::map<uint64_t, absl::Time> given_up_;  // stream sequence: by any durable of the name, when last
  std::map<uint64_t, int> advised_;          // stream sequence -> the daemon that was told
  uint64_t handled_twice_ = 0;
  uint64_t drains_ = 0;
  uint64_t adopted_ = 0;
  uint64_t merged_ = 0;
  uint64_t refused_ = 0;
  std::set<uint64_t> awaiting_adoption_;  // extended in this instant; their app is about to be told
  absl::Time awaiting_since_ = absl::InfinitePast();
  absl::Time leading_since_ = absl::InfinitePast();
  absl::Time leaderless_at_ = absl::InfinitePast();  // the last time
  absl::Time deleted_at_ = absl::InfinitePast();
};

}  // namespace sluice::test
