#include "core/lanes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/session.h"

namespace sluice::core {
namespace {

// Of what a hot key gives back: long enough not to circulate, and short enough if the pace was a bad guess.
constexpr absl::Duration kLeastReturnDelay = absl::Milliseconds(100);
constexpr absl::Duration kMostReturnDelay = absl::Seconds(30);

// What has been up for redelivery for so long while others came is settled, or with another pod. Where a hot key keeps
// coming back it fills every pull, and nothing else tells that all has come.
constexpr absl::Duration kNeverCame = absl::Seconds(30);

// No app has seen it, though a Fetch that is not yet answered may have it. What a drain awaits stays where it is.
bool IsUnseen(const Delivery& head) {
  if (head.state == Delivery::State::kHeld) return head.session->fills() && !head.awaited;
  return head.state == Delivery::State::kReady || head.state == Delivery::State::kQueued;
}

}  // namespace

Lanes::Lanes(base::Timers* timers, Owner* owner, KeySelector selector, Redeliveries redeliveries)
    : timers_(timers), owner_(owner), selector_(std::move(selector)), redeliveries_(redeliveries) {}

Lanes::~Lanes() = default;

// --- messages come ---

Lane* Lanes::FindOrMake(absl::string_view key) {
  auto it = lanes_.find(key);
  if (it == lanes_.end()) {
    auto lane = std::make_unique<Lane>(timers_, std::string(key));
    all_.PushBack(lane.get());
    it = lanes_.emplace(lane->key, std::move(lane)).first;
  }
  return it->second.get();
}

Delivery* Lanes::Occupy(Delivery* adopted, absl::string_view key) {
  Lane* lane = FindOrMake(key);
  adopted->lane = lane;
  adopted->key = key;
  adopted->occupant = true;
  ++lane->occupants;
  Delivery* head = lane->head;
  const bool unseen =
      head != nullptr && (head->state == Delivery::State::kReady || head->state == Delivery::State::kQueued);
  return unseen ? head : nullptr;
}

Delivery* Lanes::Add(Delivery* delivery) {
  delivery->key = selector_.KeyOf(delivery->message);
  Lane* lane = FindOrMake(delivery->key);
  delivery->lane = lane;
  const auto place = FindAbsent(lane, delivery->stream_sequence());
  if (place != lane->absent.end() && place->stream_sequence == delivery->stream_sequence()) {
    const bool tells = redeliveries_ == Redeliveries::kInOrder && place->since <= timers_->now();
    if (tells) caught_up_ = std::max(caught_up_, place->since);
    lane->absent.erase(place);
    if (lane->absent.empty()) incomplete_.Remove(lane);
  }
  return InsertWaiting(delivery);
}

// Nearly always the last one. Returns another attempt at its message, if that is right before it.
Delivery* Lanes::InsertWaiting(Delivery* delivery) {
  Lane* lane = delivery->lane;
  Delivery* before = lane->waiting.back();
  while (before != nullptr && before->stream_sequence() > delivery->stream_sequence()) {
    before = lane->waiting.prev(before);
  }
  Delivery* successor = before == nullptr ? lane->waiting.front() : lane->waiting.next(before);
  if (successor == nullptr) {
    lane->waiting.PushBack(delivery);
  } else {
    lane->waiting.InsertBefore(successor, delivery);
  }
  delivery->state = Delivery::State::kWaiting;
  ++lane->waiting_count;
  ++waiting_;
  waiting_bytes_ += delivery->bytes;
  MarkStartable(lane);
  const bool same = before != nullptr && before->stream_sequence() == delivery->stream_sequence();
  return same ? before : nullptr;
}

void Lanes::Defer(Delivery* head) {
  SLUICE_CHECK(head->lane->head == head || head->occupant, "only the head of a lane has started");
  if (head->lane->head == head) head->lane->head = nullptr;
  head->lane->occupants -= std::exchange(head->occupant, false);
  InsertWaiting(head);
}

Delivery* Lanes::FindUnseenTwin(const Delivery& settled) const {
  const auto it = lanes_.find(settled.key);
  if (it == lanes_.end()) return nullptr;
  const Lane& lane = *it->second;
  const auto is_twin = [&settled](const Delivery& other) {
    // A durable that was made anew knows nothing of what settled its namesake.
    return other.stream_sequence() == settled.stream_sequence() &&
           other.consumer_created_ns == settled.consumer_created_ns;
  };
  if (lane.head != nullptr && is_twin(*lane.head) && IsUnseen(*lane.head)) return lane.head;
  Delivery* twin = lane.waiting.front();
  while (twin != nullptr && twin->stream_sequence() <= settled.stream_sequence() && !is_twin(*twin)) {
    twin = lane.waiting.next(twin);
  }
  return twin != nullptr && is_twin(*twin) ? twin : nullptr;
}

// --- messages go ---

void Lanes::Unlink(Delivery* waiting) {
  if (!waiting->place.linked()) return;  // it is about to start
  DeliveryList::Remove(waiting);
  --waiting->lane->waiting_count;
  --waiting_;
  waiting_bytes_ -= waiting->bytes;
}

void Lanes::Leave(Delivery* delivery) {
  Lane* lane = std::exchange(delivery->lane, nullptr);
  if (lane->head != delivery) {
    lane->occupants -= std::exchange(delivery->occupant, false);
  } else {
    lane->head = nullptr;
    lane->pace = (lane->pace + (timers_->now() - lane->started)) / 2;
  }
  MarkStartable(lane);
}

void Lanes::LeaveAbsent(Delivery* delivery, absl::Time since) {
  Lane* lane = delivery->lane;
  if (!passing_) {
    if (lane->absent.empty()) incomplete_.PushBack(lane);
    const uint64_t stream_sequence = delivery->stream_sequence();
    lane->absent.insert(FindAbsent(lane, stream_sequence), {stream_sequence, since});
  }
  Leave(delivery);
}

// The first one that is not before it.
std::vector<Lane::Absent>::iterator Lanes::FindAbsent(Lane* lane, uint64_t stream_sequence) {
  return std::lower_bound(
      lane->absent.begin(), lane->absent.end(), stream_sequence,
      [](const Lane::Absent& absent, uint64_t sequence) { return absent.stream_sequence < sequence; });
}

void Lanes::LeaveReturning(Delivery* delivery) {
  Lane* lane = delivery->lane;
  if (!std::exchange(lane->returning, true)) returning_.PushBack(lane);
  LeaveAbsent(delivery, absl::InfiniteFuture());
}

Delivery* Lanes::TakeReturning(int64_t max_deliver) {
  for (Lane* lane = returning_.front(); lane != nullptr; lane = returning_.next(lane)) {
    Delivery* next = lane->waiting.front();
    if (lane->is_taken() || next == nullptr) continue;
    const bool is_last = max_deliver > 0 && next->message.num_delivered >= static_cast<uint64_t>(max_deliver);
    if (is_last) continue;
    Unlink(next);
    return next;
  }
  return nullptr;
}

void Lanes::EndReturns() {
  while (Lane* lane = returning_.PopFront()) {
    lane->returning = false;
    for (Lane::Absent& absent : lane->absent) {
      if (absent.since == absl::InfiniteFuture()) absent.since = timers_->now();
    }
    MarkStartable(lane);
  }
}

void Lanes::OnCaughtUp(absl::Time time) {
  caught_up_ = std::max(caught_up_, time);
  const absl::Time this_second = absl::FromUnixSeconds(absl::ToUnixSeconds(timers_->now()));  // once in each
  const absl::Time since = std::max(caught_up_ - kServerIsLate, this_second - kNeverCame);
  if (since <= dropped_until_) return;
  dropped_until_ = since;
  for (Lane* lane = incomplete_.front(); lane != nullptr;) {
    Lane* next = incomplete_.next(lane);
    std::erase_if(lane->absent, [since](const Lane::Absent& absent) { return absent.since <= since; });
    if (lane->absent.empty()) incomplete_.Remove(lane);
    MarkStartable(lane);
    lane = next;
  }
}

void Lanes::SetPassing(bool passing) {
  passing_ = passing;
  if (passing) ForgetAbsent();
}

void Lanes::OnAllHere() { ForgetAbsent(); }

void Lanes::ForgetAbsent() {
  while (Lane* lane = incomplete_.PopFront()) lane->absent.clear();
  for (Lane* lane = all_.front(); lane != nullptr; lane = all_.next(lane)) MarkStartable(lane);
}

// --- messages start ---

void Lanes::MarkStartable(Lane* lane) {
  if (!lane->is_taken() && !lane->startable.linked()) startable_.PushBack(lane);
}

Delivery* Lanes::TakeStartable(uint64_t up_to) {
  Lane* const last = startable_.back();
  for (bool is_last = last == nullptr; !is_last;) {
    Lane* lane = startable_.PopFront();
    is_last = lane == last;
    if (lane->is_taken()) continue;
    Delivery* next = lane->waiting.front();
    if (next != nullptr && next->stream_sequence() > up_to) {
      startable_.PushBack(lane);
    } else if (next == nullptr) {
      const bool over = lane->absent.empty() && !lane->returning;
      if (over) {
        all_.Remove(lane);
        lanes_.erase(lane->key);
      }
    } else if (!IsClosed(lane)) {
      Unlink(next);
      lane->head = next;
      lane->started = timers_->now();
      lane->timer.Cancel();
      return next;
    }
  }
  return nullptr;
}

bool Lanes::IsClosed(Lane* lane) {
  if (passing_ || lane->returning) return false;
  const Delivery* next = lane->waiting.front();
  if (!lane->absent.empty() && lane->absent.front().stream_sequence < next->stream_sequence()) return true;
  if (next->not_before <= timers_->now()) return false;
  lane->timer.SetAt(next->not_before, [this, lane] {
    MarkStartable(lane);
    owner_->OnRetryDue();
  });
  return true;
}

Delivery* Lanes::LatestOfTheLongest(int64_t max_deliver) const {
  const auto may_go_back = [max_deliver](const Delivery& latest) {
    const bool is_last = max_deliver > 0 && latest.message.num_delivered >= static_cast<uint64_t>(max_deliver);
    return latest.failures == 0 && !is_last;
  };
  const Lane* longest = nullptr;
  for (const Lane* lane = all_.front(); lane != nullptr; lane = all_.next(lane)) {
    if (lane->waiting.empty() || !lane->is_busy() || !may_go_back(*lane->waiting.back())) continue;
    if (longest == nullptr || lane->waiting_count > longest->waiting_count) longest = lane;
  }
  return longest == nullptr ? nullptr : longest->waiting.back();
}

absl::Duration Lanes::ReturnDelay(const Delivery& latest) const {
  Lane* lane = latest.lane;
  absl::Duration pace = lane->pace;
  if (lane->head != nullptr) pace = std::max(pace, timers_->now() - lane->started);
  const int64_t absent = FindAbsent(lane, latest.stream_sequence()) - lane->absent.begin();
  const int64_t before_it = static_cast<int64_t>(lane->waiting_count) + absent;
  return std::clamp(pace * before_it / 2, kLeastReturnDelay, kMostReturnDelay);
}

}  // namespace sluice::core
