#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/timers.h"
#include "jetstream/connection.h"
#include "jetstream/publisher.h"
#include "test/support/loop_thread.h"

namespace sluice::integration {

// Publishes the numbers 1, 2, 3, ... to a subject, and knows when JetStream has confirmed them all; each is stored
// once, though the server be killed meanwhile. On a thread of its own. Any thread may call.
class Load {
 public:
  Load(const std::string& url, const std::string& subject, int rate);
  ~Load();

  // Messages per second from now on; 0: none.
  void SetRate(int rate);
  // As many more, now.
  void Add(int count);
  // No more from now on. Returns how many there are, all confirmed; 0 if that could not be had in time.
  uint64_t Stop();
  uint64_t published();

 private:
  void Tick();

  test::LoopThread loop_;
  // Loop only.
  int rate_;
  std::unique_ptr<jetstream::Connection> connection_;
  std::unique_ptr<jetstream::Publisher> publisher_;
  std::unique_ptr<base::Timer> timer_;
  uint64_t published_ = 0;
  absl::Time last_tick_;
  double due_ = 0;
};

}  // namespace sluice::integration
