#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "client-sdk/cpp/delivery.h"

namespace sluice::internal {

class Session;

// One delivery in the hands of this app, from its frame's arrival until its verdict.
struct Held {
  //  kQueued --Start--> kStarted   a thread of the app has it
  //     '------Drop---> kGone      given back, or joined to an earlier delivery, before any saw it
  enum class Place : uint8_t { kQueued, kStarted, kGone };

  bool Start() { return Leave(Place::kStarted); }
  bool Drop() { return Leave(Place::kGone); }

  std::atomic<Place> place{Place::kQueued};
  std::atomic<bool> cancelled{false};  // nobody waits for its verdict

  // Constant after the frame's arrival.
  const DeliveryView* delivery = nullptr;
  uint64_t lane = 0;  // of its key; 0: none

  // What keeps the next of its lane from starting: its turn with a handler, and its verdict.
  std::atomic<uint8_t> lane_holds{2};

  std::atomic<bool> settled{false};  // written under the Session's mutex

  // Guarded by the Session's mutex.
  uint32_t stream = 0;  // ordinal of the stream that knows it by `id`
  uint64_t id = 0;
  uint64_t progress_in = 0;  // ordinal of the request with its last in_progress
  std::chrono::system_clock::time_point leased{};
  std::stop_source stop{std::nostopstate};  // made when the app asks for its token
  // Of the attempt that `id` stands for, where that is another one than `delivery`: its frame is gone by then.
  std::unique_ptr<const std::string> rejoined_token;

  std::string_view token() const { return rejoined_token ? *rejoined_token : delivery->token; }

 private:
  bool Leave(Place next) {
    Place queued = Place::kQueued;
    return place.compare_exchange_strong(queued, next);
  }
};

// One response as it was read, and the app's hold on each of its messages. Messages are views into its bytes, so none
// is copied; it goes when the last of them and the inbox have let go of it. Filled by the stream, then shared.
struct Frame {
  explicit Frame(std::shared_ptr<Session> session);
  Frame(const Frame&) = delete;
  ~Frame();

  // Once, and first. Takes its own copy of the bytes, in one piece: gRPC reads into blocks of up to 4 MiB, which a
  // small message that the app keeps would otherwise keep as well.
  ResponseKind Read(grpc::ByteBuffer& response);
  std::string_view bytes() const { return {bytes_.get(), size_}; }

  // Claims a message for the calling thread. Any thread; null: all are taken.
  Held* Claim() {
    while (next.load(std::memory_order_relaxed) < held.size()) {
      const size_t index = next.fetch_add(1);
      if (index < held.size() && held[index].Start()) return &held[index];
    }
    return nullptr;
  }
  bool exhausted() const { return next.load(std::memory_order_relaxed) >= held.size(); }

  const std::shared_ptr<Session> session;
  std::vector<DeliveryView> deliveries;
  std::vector<HeaderView> headers;  // of all deliveries
  std::vector<Held> held;           // one for each delivery
  std::atomic<size_t> next{0};      // the first that is not claimed
  bool laned = false;               // some have a lane, so they are taken in turn; constant like `held`

  static constexpr size_t kNotListed = std::numeric_limits<size_t>::max();
  size_t position = kNotListed;  // in the Ledger's list; guarded by the Session's mutex

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

}  // namespace sluice::internal
