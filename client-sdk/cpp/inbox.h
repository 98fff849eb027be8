#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "client-sdk/cpp/frame.h"
#include "client-sdk/cpp/lanes.h"
#include "sluice/message.h"

namespace sluice::internal {

// What waits for a handler, in the order of arrival; bounded by the credit. The stream pushes frames, any number of
// threads take messages: they share the first frame and claim from it without a lock, so that none waits behind a slow
// neighbour. A frame with keys in it is gone through under the lock instead, message by message, as its lanes allow.
// Owned by the Session.
class Inbox {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr Time kForever = Time::max();

  void Push(std::shared_ptr<Frame> frame);

  // The next message; waits for one. `frame` is the caller's place: the frame it took the last one from, at first null.
  // Nothing: closed.
  std::optional<Message> Next(std::shared_ptr<Frame>& frame);
  // Adds to `batch` what waits, to at most `most` in all; waits for the first until `until`. False: none came, or
  // closed.
  bool Take(std::shared_ptr<Frame>& frame, size_t most, Time until, std::vector<Message>& batch);
  // The next of this lane may start.
  void Leave(uint64_t lane);

  // Between streams nothing new is started: the daemon may have handed it to another app.
  void Pause();
  void Resume();
  // No more will come: nobody waits for it.
  void Finish();
  // Lets go of everything and ends the readers. For good.
  void Close();

 private:
  using Garbage = std::vector<std::shared_ptr<Frame>>;  // dies without the mutex: a frame's end takes the Session's

  // Waits for something to take: messages that have started, up to `most`, or else a frame to claim from.
  std::shared_ptr<Frame> Find(size_t most, Time until, std::vector<Lanes::Waiting>& started);
  // With the mutex.
  void StartSome(size_t most, std::vector<Lanes::Waiting>& started, Garbage& garbage);
  void StartWaiting(size_t most, Lanes::Taker taker, std::vector<Lanes::Waiting>& started, Garbage& garbage);
  void WakeNext(std::unique_lock<std::mutex>& lock);  // unlocks

  std::atomic<bool> halted_{true};  // paused or closed; written under the mutex
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Frame>> frames_;
  Lanes lanes_;
  Lanes::Taker last_taker_ = 0;
  size_t waiting_ = 0;  // readers
  bool finished_ = false;
  bool closed_ = false;
};

}  // namespace sluice::internal
