#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::base {

void CheckFailed(const char* file, int line, const char* condition, const char* rule) {
  std::fprintf(stderr, "%s:%d: internal error: %s (%s)\n", file, line, rule, condition);
  std::abort();
}

}  // namespace sluice::base
