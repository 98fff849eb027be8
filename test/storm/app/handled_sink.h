#pragma once

#include <memory>
#include <string>

namespace sluice::storm {

// Where an app says what it has done, before the verdict. Write() returns when the line is safe from the end of this
// process. Thread-safe.
class HandledSink {
 public:
  virtual ~HandledSink() = default;
  virtual bool Write(const std::string& line) = 0;

  // A path, or `nats://host:port/subject` where a JetStream stream keeps the lines. Null: it cannot be opened; stderr
  // says why.
  static std::unique_ptr<HandledSink> Open(const std::string& where);
};

}  // namespace sluice::storm
