#include "client-sdk/cpp/lanes.h"

#include <utility>

namespace sluice::internal {

bool Lanes::Enter(Waiting message, Taker taker) {
  const uint64_t name = message.held->lane;
  if (name == 0) return true;
  const auto [found, is_new] = lanes_.try_emplace(name);
  Lane& lane = found->second;
  const bool same_taker = lane.taker == taker && taker != 0 && lane.waiting.empty();
  if (!is_new && !same_taker) {
    lane.waiting.push_back(std::move(message));
    return false;
  }
  ++lane.running;
  lane.taker = taker;
  return true;
}

std::optional<Lanes::Waiting> Lanes::Next(Taker taker) {
  if (ready_.empty()) return std::nullopt;
  const uint64_t name = ready_.front();
  ready_.pop_front();
  lanes_.at(name).taker = taker;
  return Behind(name);
}

std::optional<Lanes::Waiting> Lanes::Behind(uint64_t name) {
  const auto found = lanes_.find(name);
  if (found == lanes_.end() || found->second.waiting.empty()) return std::nullopt;
  Lane& lane = found->second;
  Waiting next = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  ++lane.running;
  return next;
}

bool Lanes::Leave(uint64_t name) {
  const auto found = lanes_.find(name);
  if (found == lanes_.end()) return false;  // cleared meanwhile
  Lane& lane = found->second;
  if (--lane.running > 0) return false;
  if (lane.waiting.empty()) {
    lanes_.erase(found);
    return false;
  }
  ready_.push_back(name);
  return true;
}

std::deque<Lanes::Waiting> Lanes::Clear() {
  std::deque<Waiting> all;
  for (auto& [name, lane] : lanes_) {
    for (Waiting& message : lane.waiting) all.push_back(std::move(message));
  }
  lanes_.clear();
  ready_.clear();
  return all;
}

}  // namespace sluice::internal
