/// @file
/// What an app does with its messages.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "sluice/message.h"
#include "sluice/verdict.h"

namespace sluice {

/// What an app does with a message; made from a callable of one of three forms:
///
///     void(Message& m)      acks by returning
///     Verdict(Message& m)   settles it by what it returns
///     void(Message m)       owns it, and may settle it later and from any thread
///
/// The first two may throw RetryAfter and Reject. A message whose handler throws anything else naks, and so does one
/// whose owner lets go of it without a verdict. Called by `concurrency` threads at once.
class Handler {
 public:
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Handler>>>
  Handler(F handler) {  // NOLINT(google-explicit-constructor): a lambda is what one passes
    auto shared = std::make_shared<F>(std::move(handler));
    if constexpr (std::is_invocable_v<F&, Message&>) {
      if constexpr (std::is_void_v<std::invoke_result_t<F&, Message&>>) {
        run_ = [shared](Message& m) { (*shared)(m), m.Ack(); };
      } else {
        static_assert(std::is_invocable_r_v<Verdict, F&, Message&>,
                      "a handler of a Message& returns void or a Verdict");
        run_ = [shared](Message& m) { m.Settle((*shared)(m)); };
      }
    } else {
      static_assert(std::is_invocable_v<F&, Message>, "a handler takes a Message& or a Message");
      static_assert(std::is_void_v<std::invoke_result_t<F&, Message>>,
                    "a handler that owns its message returns void: it settles by m.Ack(), m.Nak() or m.Term()");
      run_ = [shared](Message& m) { (*shared)(std::move(m)); };
      owns_ = true;
    }
  }

  void operator()(Message& m) const { run_(m); }
  bool owns() const { return owns_; }  ///< its message may outlive the call

 private:
  std::function<void(Message&)> run_;
  bool owns_ = false;
};

/// The same for all that waits, up to ConsumeOptions::max_batch at a time; for work that is cheaper together, such as
/// one transaction for many:
///
///     void(Batch batch)      acks by returning
///     Verdict(Batch batch)   settles by what it returns
///
/// Either way what was settled one by one before, or moved away, is not touched. What it throws counts for all others.
class BatchHandler {
 public:
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, BatchHandler>>>
  BatchHandler(F handler) {  // NOLINT(google-explicit-constructor): a lambda is what one passes
    static_assert(std::is_invocable_v<F&, Batch>, "a batch handler takes a sluice::Batch");
    auto shared = std::make_shared<F>(std::move(handler));
    if constexpr (std::is_void_v<std::invoke_result_t<F&, Batch>>) {
      run_ = [shared](Batch batch) { return (*shared)(batch), Ack(); };
    } else {
      run_ = [shared](Batch batch) -> Verdict { return (*shared)(batch); };
    }
  }

  Verdict operator()(Batch batch) const { return run_(batch); }  ///< for those that have none yet

 private:
  std::function<Verdict(Batch)> run_;
};

}  // namespace sluice
