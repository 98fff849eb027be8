#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "sluice/message.h"
#include "sluice/verdict.h"

namespace sluice {

// What an app does with a message; made from a callable of one of two forms:
//
//   Verdict(Message& m)   settles it by what it returns
//   void(Message m)       owns it, and may settle it later and from any thread
//
// Either way a message whose owner lets go of it without a verdict naks; so does one whose handler throws.
// Called by `concurrency` threads at once.
class Handler {
 public:
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Handler>>>
  Handler(F handler) {  // NOLINT(google-explicit-constructor): a lambda is what one passes
    if constexpr (std::is_invocable_r_v<Verdict, F&, Message&>) {
      run_ = [handler = std::make_shared<F>(std::move(handler))](Message m) { m.Settle((*handler)(m)); };
    } else {
      static_assert(std::is_invocable_v<F&, Message> && std::is_void_v<std::invoke_result_t<F&, Message>>,
                    "a handler is Verdict(Message&) or void(Message)");
      run_ = [handler = std::make_shared<F>(std::move(handler))](Message m) { (*handler)(std::move(m)); };
    }
  }

  void operator()(Message m) const { run_(std::move(m)); }

 private:
  std::function<void(Message)> run_;
};

}  // namespace sluice
