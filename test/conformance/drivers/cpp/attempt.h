#pragma once

#include <optional>
#include <string>

#include <sluice/client.h>

#include "test/conformance/drivers/cpp/events.h"
#include "test/conformance/drivers/cpp/script.h"

namespace sluice::conformance {

// One attempt at one message, as its script says. Whoever takes the message makes one.
class Attempt {
 public:
  // `by_methods`: the message is settled here; else the caller does it by Return().
  Attempt(const Told& told, Script& script, Message& message, bool by_methods, bool confirm)
      : told_(told), script_(script), message_(message), by_methods_(by_methods), confirm_(confirm) {}

  // Does all steps.
  void Run();
  // In the style of handlers: returns the verdict, or throws it.
  Verdict Return() const;

 private:
  void Do(const Step& step);
  void Decide(const Step& step);
  void Settle(const Verdict& verdict);
  void Hold();
  void OnCancelled();

  const Told& told_;
  Script& script_;
  Message& message_;
  const bool by_methods_;
  const bool confirm_;
  Step decided_{"ack", ""};
  bool is_decided_ = false;
  std::optional<bool> second_;
};

}  // namespace sluice::conformance
