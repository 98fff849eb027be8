#include "test/integration/account.h"

#include <algorithm>
#include <optional>

namespace sluice::integration {
namespace {

// An ack is on its way for milliseconds; a busy machine is given this long.
constexpr absl::Duration kAckUnderWay = absl::Seconds(3);
// A redelivery this close below the ack wait has waited for it.
constexpr double kNearly = 0.9;
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

// Whether it had waited for the ack wait when it was handled. Absences that are long for it do not count: a starved
// machine takes seconds to end a process. Short ones do, or many of them would hide a wait.
bool WaitedForTheAckWait(const Handled& line, absl::Duration ack_wait, const std::vector<Absence>& absences) {
  const absl::Time stored = absl::FromUnixMicros(line.stored_us);
  const absl::Time handled = absl::FromUnixMicros(line.handled_us);
  absl::Duration waited = handled - stored;
  for (const Absence& absence : absences) {
    if (absence.end - absence.begin < kLongAbsence * ack_wait) continue;
    const absl::Duration shared = std::min(handled, absence.end) - std::max(stored, absence.begin);
    waited -= std::max(shared, absl::ZeroDuration());
  }
  return waited > kNearly * ack_wait;
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
  std::vector<const Handled*> last(published + 1, nullptr);
  for (const Handled& line : handled) {
    if (line.number == 0 || line.number > published) {
      account.twice.push_back(line.number);  // nobody published it
      continue;
    }
    if (line.num_delivered > 1) {
      ++account.redelivered;
      if (WaitedForTheAckWait(line, ack_wait, absences)) account.late.push_back(line.number);
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
