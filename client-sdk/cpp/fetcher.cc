#include "sluice/fetcher.h"

#include <algorithm>

#include "client-sdk/cpp/subscription.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMost = 1 << 20;  // as the contract allows credit for
constexpr auto kLeastWait = std::chrono::milliseconds(100);
// As the daemon's own Fetch does it: messages that are there come within these of each other.
constexpr auto kQuiet = std::chrono::milliseconds(10);
constexpr auto kLongestTail = std::chrono::milliseconds(100);

// Asks for messages as long as it lives.
class Demand {
 public:
  Demand(internal::Session& session, size_t n) : session_(session), left_(static_cast<int64_t>(n)) {
    session_.Want(left_);
  }
  Demand(const Demand&) = delete;
  ~Demand() { Met(left_); }

  void Met(int64_t n) {
    if (n == 0) return;
    left_ -= n;
    session_.Want(-n);
  }

 private:
  internal::Session& session_;
  int64_t left_;
};

}  // namespace

std::vector<Message> Fetcher::Fetch(size_t n, std::chrono::milliseconds max_wait) {
  n = std::clamp<size_t>(n, 1, kMost);
  std::vector<Message> messages;
  std::shared_ptr<internal::Frame> frame;
  Demand demand(session(), n);
  Clock::time_point until = Clock::now() + std::max(max_wait, kLeastWait);
  Clock::time_point end = Clock::time_point::max();
  while (messages.size() < n) {
    const size_t before = messages.size();
    if (!session().inbox().Take(frame, n, until, messages)) break;
    demand.Met(static_cast<int64_t>(messages.size() - before));
    const auto now = Clock::now();
    if (before == 0) end = now + kLongestTail;
    until = std::min(now + kQuiet, end);
  }
  return messages;
}

}  // namespace sluice
