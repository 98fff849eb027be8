#pragma once

#include <cstdint>
#include <string>

namespace sluice::token {

// Which daemon process serves here, in a file that its successor reads: if it is still there, that process died without
// beginning a drain, and so has given back nothing of what its apps held. Any thread; one process at a time.
class ServingMark {
 public:
  // Reads the mark of the process before, and puts that of this one there. `path` empty: there is none. A failure is
  // logged; then the successor takes all that is brought back for in doubt.
  ServingMark(std::string path, uint64_t instance);

  // The process before, if it died so; 0: it did not, or is unknown.
  uint64_t crashed() const { return crashed_; }
  // A drain begins: from now on things are given back.
  void Remove() const;

 private:
  const std::string path_;
  uint64_t crashed_ = 0;
};

}  // namespace sluice::token
