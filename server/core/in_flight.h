#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/delivery.h"
#include "core/message.h"

namespace sluice::core {

// All deliveries of one consumer, by id: a table of slots that are used again, so that a look-up is an index and a
// comparison, and a steady flow allocates nothing. Memory is that of the most deliveries there ever were at once. Loop
// only.
//
// An id is generation << 24 | slot. The generation grows each time the slot is used, so that a verdict on a delivery
// that is gone finds nothing. It begins somewhere, so that neither does one of another process: after a crash an app
// names what it holds by the ids that the former daemon gave.
class InFlight {
 public:
  static constexpr int kSlotBits = 24;
  static constexpr size_t kMaxSize = size_t{1} << kSlotBits;

  static constexpr int kFirstGenerationBits = 18;  // with the slot an id of 42 bits, six bytes on the wire

  // `seed`: of the first generation.
  explicit InFlight(uint64_t seed = 0);
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  // A READY delivery of `message`; its address is stable until Remove(). At most kMaxSize at once.
  Delivery* Add(Message message);
  // Gives it a new id, so that what an app still says of the old one finds nothing.
  void Rename(Delivery* delivery);
  // nullptr: no delivery of this id, or no longer.
  Delivery* Find(uint64_t id);
  // By slot. Costs what there ever was at once.
  std::vector<Delivery*> All();
  // Lets go of the message. The delivery must be in no list.
  void Remove(Delivery* delivery);

  size_t size() const { return slots_.size() - free_.size(); }
  // In no particular order. `visit` must not add or remove any.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (Delivery& delivery : slots_) {
      if (delivery.live) visit(delivery);
    }
  }

 private:
  const uint64_t first_;  // id of the first slot, before it is used
  std::deque<Delivery> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace sluice::core
