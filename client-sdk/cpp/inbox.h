#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "client-sdk/cpp/frame.h"
#include "sluice/message.h"

namespace sluice::internal {

// What waits for a handler, in the order of arrival; bounded by the credit. The stream pushes frames, any number of
// threads take messages: they share the first frame and claim from it without a lock, so that none waits behind a slow
// neighbour. Owned by the Session.
class Inbox {
 public:
  void Push(std::shared_ptr<Frame> frame);

  // The next message; waits for one. `frame` is the caller's place: the frame it took the last one from, at first null.
  // Nothing: closed.
  std::optional<Message> Next(std::shared_ptr<Frame>& frame);

  // Between streams nothing new is started: the daemon may have handed it to another app.
  void Pause();
  void Resume();

  // Lets go of everything and ends the readers. For good.
  void Close();

 private:
  std::shared_ptr<Frame> Front();  // waits for a frame with messages left

  std::atomic<bool> halted_{true};  // paused or closed; written under the mutex
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Frame>> frames_;
  size_t waiting_ = 0;  // readers
  bool closed_ = false;
};

}  // namespace sluice::internal
