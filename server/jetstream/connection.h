#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "base/timers.h"
#include "jetstream/connection_options.h"
#include "jetstream/inbox.h"
#include "jetstream/loop_gate.h"
#include "jetstream/nats_connection.h"
#include "jetstream/nats_ptr.h"
#include "jetstream/publish_buffer.h"
#include "jetstream/requests.h"

namespace sluice::jetstream {

// What there is to tell of a connection, for people.
struct ConnectionStatus {
  bool connected = false;
  std::string url;             // of the server it is or was connected to, without credentials
  std::string server_version;  // of that server; empty: not known (yet)
  uint64_t reconnects = 0;     // how often it came back
  std::string last_error;      // empty: none since it was connected
};

// The process's connection to NATS, kept up for ever. cnats reconnects by itself; but it gives up on errors that may
// well pass, such as a credential refused twice or a -ERR that it does not know, and then a new connection is dialled.
// What may block (connecting, reading a greeting, cnats calls that wait for its lock while it connects) runs on a
// thread of its own.
//
// Loop only, except that it may be made and destroyed while the loop does not run. Outlives its listeners.
class Connection {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // Strictly in turn: true, false, true, ...; never from within a call.
    virtual void OnConnection(bool connected) = 0;
    // While connected: another natsConnection has taken the place of the one before, without a gap. What is opened and
    // sent from now on uses it; inboxes of the one before go on until they are closed, which should be soon.
    virtual void OnReplaced() {}
  };

  // Returns at once; connects behind. Fails for local reasons only: INVALID_ARGUMENT, see MakeNatsOptions().
  static absl::StatusOr<std::unique_ptr<Connection>> Connect(ConnectionOptions options, base::EventLoop* loop);
  ~Connection();

  // Moves to a connection with these options, with nothing lost: dials it beside the one that serves, and lets that one
  // go only when the new one is there. Until then all stays as it is, and it is tried for ever; `news` is told of the
  // first failure and of the success, unless another Replace() comes before; INVALID_ARGUMENT, as Connect(): it is not
  // tried. The API prefix stays.
  using ReplaceCallback = absl::AnyInvocable<void(const absl::Status& status)>;
  void Replace(ConnectionOptions options, ReplaceCallback news);
  // From now on it is replaced only while it is down: what Replace() is still trying, or is to try, is given up as long
  // as it is up.
  void StayWhileUp();

  // Told right after this call if it is connected, then of each change.
  void AddListener(Listener* listener);
  // Drops the listener's requests as well.
  void RemoveListener(Listener* listener);

  bool connected() const { return connected_; }
  ConnectionStatus status() const;
  const std::string& api_prefix() const { return api_prefix_; }
  // Whether "+TERM <reason>" is known to be beyond the server it is connected to.
  bool refuses_term_reason() const { return refuses_term_reason_; }

  // All while connected only. Written within about 1 ms, in order; a connection that is lost takes it along.
  absl::Status Publish(const char* subject, absl::string_view payload);
  absl::Status PublishRequest(const char* subject, const char* reply, absl::string_view payload);
  // Writes what was published now, with a cnats that can.
  void Flush();
  // With headers, as only a natsMsg can have them; it stays the caller's.
  absl::Status PublishMessage(natsMsg* msg);
  // Not blocking: the callback comes on the loop, once, unless the connection or the listener goes first. UNAVAILABLE:
  // not connected, the connection went, or nobody serves `subject`. DEADLINE_EXCEEDED: no answer.
  void Request(const Listener* owner, const char* subject, absl::string_view payload, absl::Duration timeout,
               Requests::Callback callback);
  // The same with headers; names must not be empty.
  void RequestWithHeaders(const Listener* owner, const char* subject,
                          const std::vector<std::pair<std::string, std::string>>& headers, absl::string_view payload,
                          absl::Duration timeout, Requests::Callback callback);
  // As one of those that share `subject` as `queue`: each message goes to one of them.
  absl::StatusOr<std::unique_ptr<Inbox>> OpenQueue(const std::string& subject, const std::string& queue,
                                                   std::shared_ptr<Inbox::Sink> sink);
  // For what a consumer delivers, as in "<stream>.<consumer>", or, without one, for answers.
  absl::StatusOr<std::unique_ptr<Inbox>> OpenInbox(std::shared_ptr<Inbox::Sink> sink, const std::string& consumer = "");
  // Counts the natsConnections there were: inboxes opened under another number have ended.
  uint64_t generation() const { return generation_; }
  // Runs what may block on the thread for such; in order.
  void RunBlocking(base::EventLoop::Task task) { side_loop_.Post(std::move(task)); }

  // Flushes what was published, within 2 s, and closes for good. Blocks; the last thing to do. An error: what was
  // published last may not have reached the server.
  absl::Status Close();

 private:
  class Replies;

  Connection(const ConnectionOptions& options, NatsPtr<natsOptions> nats_options, base::EventLoop* loop);

  // One natsConnection in the making. The options are the side thread's, after construction.
  using Options = std::shared_ptr<natsOptions>;
  // How a natsConnection is dialled, on the side thread; `done` is posted, with it or with why not.
  template <typename Done>
  void DialWith(Options options, uint64_t generation, Done done);
  static void SetCallbacks(natsOptions* options, void* hook);  // side thread

  // The natsConnection that is to take over.
  struct Successor {
    explicit Successor(base::Timers* timers) : retry(timers) {}
    Options options;
    uint64_t generation = 0;  // of the dial that is under way, or was last
    ReplaceCallback news;
    bool failed = false;  // which has been told
    base::Timer retry;
  };

  void Dial();
  void DialSuccessor();
  void OnSuccessorDialled(NatsPtr<natsConnection> nats);
  void OnSuccessorFailed(const std::string& why);
  void Retire(std::shared_ptr<NatsConnection> nats, std::unique_ptr<Inbox> replies);
  void EndRetired();
  void OnDialled(NatsPtr<natsConnection> nats);
  void OnDialFailed(const std::string& why);
  void DialLater(const std::string& why);
  void OnUp();
  void OnDown();
  void OnError(const std::string& text);
  void OnGivenUp(const std::string& why);  // by cnats
  bool IsUp() const;
  void HandOver();
  bool Keep(absl::string_view subject, absl::string_view reply, absl::string_view payload);
  absl::Status SendWithHeaders(const char* subject, const std::vector<std::pair<std::string, std::string>>& headers,
                               absl::string_view payload);
  void OnReplies();
  void LearnServer();
  void OnServerLearnt(std::string url, std::string version);
  void TellListeners();

  const std::string api_prefix_;
  base::EventLoop* const loop_;
  const std::shared_ptr<LoopGate<Connection>> gate_;  // shared with cnats's threads
  const std::shared_ptr<Replies> replies_sink_;       // the same

  std::shared_ptr<NatsConnection> nats_;  // shared with tasks of the side thread; null while dialling
  Options nats_options_;                  // of nats_
  std::unique_ptr<Successor> successor_;  // null: none is wanted
  bool stays_while_up_ = false;
  struct Retired {
    std::shared_ptr<NatsConnection> nats;
    std::unique_ptr<Inbox> replies;
  };
  std::vector<Retired> retired_;  // answers may still come to them
  base::Timer retire_timer_;
  uint64_t generation_ = 0;
  uint64_t last_generation_ = 0;  // of all that were dialled
  bool connected_ = false;
  uint64_t ups_ = 0;  // how often it became connected
  ConnectionStatus status_;
  bool refuses_term_reason_ = false;
  struct Told {
    Listener* listener;
    bool connected;
  };
  std::vector<Told> listeners_;
  Requests requests_;
  std::unique_ptr<Inbox> replies_;         // answers to requests
  std::vector<NatsPtr<natsMsg>> arrived_;  // kept for its capacity
  std::string reply_subject_;              // kept for its capacity
  PublishBuffer kept_;                     // for nats_, behind all that was published on it
  base::Timer write_timer_;                // by when kept_ is written
  base::Backoff dial_backoff_;
  base::Timer dial_timer_;

  const base::SteadyClock side_clock_;
  base::EventLoop side_loop_{&side_clock_};
  std::thread side_thread_;
};

}  // namespace sluice::jetstream
