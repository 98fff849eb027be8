#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <vector>

#include "absl/time/time.h"
#include "test/integration/handled.h"

namespace sluice::integration {

// Why a message may be handled twice; docs/guarantees.md.
enum class Why : char {
  kKilled = 'a',    // a process was killed between the work and the ack
  kOutlived = 'b',  // an app outlived the drain deadline, or its lease
  kServerLostAck = 'c',
};

// Something that the test did, which excuses that a message whose work was done shortly before was done again later.
struct Excuse {
  Why why;
  absl::Time at;
  absl::Time until = at;  // till then verdicts could not get through: apps may have worked on
};

// No daemon served: what came back to JetStream waited for the next one.
struct Absence {
  absl::Time begin;
  absl::Time end;
};

// The balance of what was published and what was handled.
struct Account {
  uint64_t published = 0;
  uint64_t handled = 0;         // lines
  std::vector<uint64_t> lost;   // never handled
  std::vector<uint64_t> twice;  // handled again, without an excuse
  std::vector<uint64_t> late;   // delivered again only after the ack wait, long absences not counted
  std::map<Why, uint64_t> excused;
  uint64_t redelivered = 0;  // handled with num_delivered > 1

  friend std::ostream& operator<<(std::ostream& out, const Account& account);
};

// Of the messages 1..published. Each excuse covers work done at most a few seconds before it.
Account Balance(uint64_t published, const std::vector<Handled>& handled, absl::Duration ack_wait,
                const std::vector<Excuse>& excuses = {}, const std::vector<Absence>& absences = {});

// Whether each of 1..published was handled at least once.
bool AllHandled(uint64_t published, const std::vector<Handled>& handled);

}  // namespace sluice::integration
