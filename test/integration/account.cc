#include "test/integration/account.h"

#include <algorithm>
#include <optional>

namespace sluice::integration {
namespace {

// An ack is on its way for milliseconds; a busy machine is given this long.
constexpr absl::Duration kAckUnderWay = absl::Seconds(3);
// A redelivery that waited for more than this part of the ack wait has waited for it: what is given back is with the
// next app within the time of a restart.
constexpr double kNearly = 0.6;
// An absence of all daemons this long, in ack waits, is no fault of theirs.
constexpr double kLongAbsence = 0.2;

std::optional<Why> FindExcuse(const Handled& first, const Handled& again, const std::vector<Excuse>& excuses) {
  const absl::Time before = absl::FromUnixMicros(first.handled_us);
  const absl::Time after = absl::FromUnixMicros(again.handled_us);
  for (const Excuse& excuse : excuses) {
    if (before <= excuse.until && before >= excuse.at - kAckUnderWay && after >= excuse.at) return excuse.why;
  }
  return std::nullopt;
}

// Whether it had waited for the ack wait when it was handled; `first`: when its first attempt was made. Absences that
// are long for it do not count: a starved machine takes seconds to end a process. Short ones do, or many of them would
// hide a wait.
bool WaitedForTheAckWait(const Handled& line, absl::Time first, absl::Duration ack_wait,
                         const std::vector<Absence>& absences) {
  const absl::Time handled = absl::FromUnixMicros(line.handled_us);
  absl::Duration waited = handled - first;
  for (const Absence& absence : absences) {
    if (absence.end - absence.begin < kLongAbsence * ack_wait) continue;
    const absl::Duration shared = std::min(handled, absence.end) - std::max(first, absence.begin);
    waited -= std::max(shared, absl::ZeroDuration());
  }
  return waited > kNearly * ack_wait;
}

// JetStream makes first attempts in the order of the stream. So one that reached nobody was made soon after the first
// attempt before it, which was handled at once; and not before the message was there.
std::vector<absl::Time> FirstAttempts(uint64_t published, const std::vector<Handled>& handled) {
  std::vector<absl::Time> attempts(published + 1, absl::InfinitePast());
  std::vector<bool> seen(published + 1, false);  // by an app
  for (const Handled& line : handled) {
    if (line.number == 0 || line.number > published || seen[line.number]) continue;
    seen[line.number] = line.num_delivered == 1;
    attempts[line.number] = absl::FromUnixMicros(seen[line.number] ? line.handled_us : line.stored_us);
  }
  absl::Time before = absl::InfinitePast();
  for (uint64_t number = 1; number <= published; ++number) {
    if (!seen[number]) attempts[number] = std::max(attempts[number], before);
    if (seen[number]) before = attempts[number];
  }
  return attempts;
}

void Print(std::ostream& out, const char* what, const std::vector<uint64_t>& numbers) {
  constexpr size_t kShown = 10;
  out << ", " << what << " " << numbers.size();
  for (size_t i = 0; i < std::min(numbers.size(), kShown); ++i) out << (i == 0 ? " (" : " ") << numbers[i];
  if (!numbers.empty()) out << (numbers.size() > kShown ? " ...)" : ")");
}

}  // namespace

Account Balance(uint64_t published, const std::vector<Handled>& handled, absl::Duration ack_wait,
                const std::vector<Excuse>& excuses, const std::vector<Absence>& absences) {
  Account account;
  account.published = published;
  account.handled = handled.size();
  const std::vector<absl::Time> first_attempts = FirstAttempts(published, handled);
  std::vector<const Handled*> last(published + 1, nullptr);
  for (const Handled& line : handled) {
    if (line.number == 0 || line.number > published) {
      account.twice.push_back(line.number);  // nobody published it
      continue;
    }
    if (line.num_delivered > 1) {
      ++account.redelivered;
      const absl::Time first = first_attempts[line.number];
      if (WaitedForTheAckWait(line, first, ack_wait, absences)) account.late.push_back(line.number);
    }
    if (const Handled* before = last[line.number]; before != nullptr) {
      if (const auto why = FindExcuse(*before, line, excuses)) {
        ++account.excused[*why];
      } else {
        account.twice.push_back(line.number);
      }
    }
    last[line.number] = &line;
  }
  for (uint64_t number = 1; number <= published; ++number) {
    if (last[number] == nullptr) account.lost.push_back(number);
  }
  return account;
}

bool AllHandled(uint64_t published, const std::vector<Handled>& handled) {
  if (handled.size() < published) return false;
  std::vector<bool> seen(published + 1, false);
  uint64_t count = 0;
  for (const Handled& line : handled) {
    if (line.number == 0 || line.number > published || seen[line.number]) continue;
    seen[line.number] = true;
    ++count;
  }
  return count == published;
}

std::ostream& operator<<(std::ostream& out, const Account& account) {
  out << "published " << account.published << ", handled " << account.handled << ", redelivered "
      << account.redelivered;
  Print(out, "lost", account.lost);
  Print(out, "twice", account.twice);
  Print(out, "late by the ack wait", account.late);
  for (const auto& [why, count] : account.excused) out << ", excused by (" << static_cast<char>(why) << ") " << count;
  return out;
}

}  // namespace sluice::integration
