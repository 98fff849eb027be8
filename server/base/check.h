#pragma once

namespace sluice::base {

// Prints what was broken and where, and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* rule);

}  // namespace sluice::base

// For invariants that only a bug can break; what comes from outside is answered by a Status instead. `rule` says in
// words what must hold.
#define SLUICE_CHECK(condition, rule)                                                      \
  do {                                                                                     \
    if (!(condition)) ::sluice::base::CheckFailed(__FILE__, __LINE__, #condition, (rule)); \
  } while (false)
