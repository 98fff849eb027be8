#include "core/in_flight.h"

#include <utility>

#include "base/check.h"

namespace sluice::core {
namespace {

constexpr uint64_t kSlotMask = InFlight::kMaxSize - 1;
constexpr uint64_t kSpread = 0x9E37'79B9'7F4A'7C15;  // of 2^64 by the golden ratio: close seeds become distant

}  // namespace

InFlight::InFlight(uint64_t seed) : first_((seed * kSpread) >> (64 - kFirstGenerationBits) << kSlotBits) {}

Delivery* InFlight::Add(Message message) {
  if (free_.empty()) {
    SLUICE_CHECK(slots_.size() < kMaxSize, "pulls are limited to what fits in flight");
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
    slots_.back().id = first_ | free_.back();
  }
  Delivery& delivery = slots_[free_.back()];
  free_.pop_back();
  delivery.id += kMaxSize;  // the next generation
  delivery.live = true;
  delivery.bytes = message.bytes();
  delivery.message = std::move(message);
  delivery.state = Delivery::State::kReady;
  delivery.session = nullptr;
  delivery.awaited = false;
  delivery.claimant = 0;
  delivery.foreign = false;
  delivery.in_doubt = false;
  delivery.lane = nullptr;
  delivery.occupant = false;
  delivery.key = absl::string_view();
  delivery.failures = 0;
  delivery.given = absl::InfiniteFuture();
  delivery.not_before = absl::InfinitePast();
  return &delivery;
}

void InFlight::Rename(Delivery* delivery) { delivery->id += kMaxSize; }

Delivery* InFlight::Find(uint64_t id) {
  const size_t slot = id & kSlotMask;
  if (slot >= slots_.size()) return nullptr;
  Delivery& delivery = slots_[slot];
  return delivery.live && delivery.id == id ? &delivery : nullptr;
}

std::vector<Delivery*> InFlight::All() {
  std::vector<Delivery*> all;
  for (Delivery& delivery : slots_) {
    if (delivery.live) all.push_back(&delivery);
  }
  return all;
}

void InFlight::Remove(Delivery* delivery) {
  SLUICE_CHECK(!delivery->place.linked() && !delivery->lease.linked(), "a delivery leaves its lists before it goes");
  delivery->live = false;
  delivery->message = Message();
  free_.push_back(static_cast<uint32_t>(delivery->id & kSlotMask));
}

}  // namespace sluice::core
