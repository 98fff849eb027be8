/// @file
/// Order by a key of the app's own.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "sluice/message.h"

namespace sluice {

/// Names the messages that must not be worked on at once, from anything that makes a string or a view of one:
///
///     options.key = [](const sluice::Message& m) { return m.header("Customer").value_or(""); };
///
/// Empty: in no order. Called on the client's gRPC thread for each message as it arrives, so it should be quick; a
/// message whose key function throws naks, as if its handler had thrown. Keys are told apart by a hash of 64 bits: two
/// that share one are merely in order with each other.
class Key {
 public:
  Key() = default;  ///< the daemon's key
  template <typename F, typename = std::enable_if_t<
                            std::is_convertible_v<std::invoke_result_t<F&, const Message&>, std::string_view>>>
  Key(F function)  // NOLINT(google-explicit-constructor): a lambda is what one passes
      : lane_([function = std::move(function)](const Message& m) mutable {
          auto&& key = function(m);  // kept while it is hashed
          return LaneOf(key);
        }) {}

  explicit operator bool() const { return static_cast<bool>(lane_); }
  uint64_t operator()(const Message& m) const { return lane_(m); }

  /// 0: no key.
  static uint64_t LaneOf(std::string_view key) { return key.empty() ? 0 : std::hash<std::string_view>()(key) | 1; }

 private:
  std::function<uint64_t(const Message&)> lane_;
};

}  // namespace sluice
