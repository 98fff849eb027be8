#include "client-sdk/cpp/worker.h"

#include <exception>
#include <utility>
#include <vector>

#include "client-sdk/cpp/turn.h"

namespace sluice::internal {
namespace {

constexpr size_t kMostInBatch = 256;

// The verdict of what a handler throws, if it is one. Only from within a catch.
std::optional<Verdict> ThrownVerdict() {
  try {
    throw;
  } catch (const RetryAfter& verdict) {
    return verdict;
  } catch (const Reject& verdict) {
    return verdict;
  } catch (...) {
    return std::nullopt;
  }
}

std::string WhatWasThrown() {
  try {
    throw;
  } catch (const std::exception& e) {
    return std::string("a handler threw: ") + e.what();
  } catch (...) {
    return "a handler threw: not a std::exception";
  }
}

void HandleOne(Session& session, const Handler& handler, Message& message) {
  std::shared_ptr<void> trace;
  if (session.hooks().wants_traces()) trace = session.hooks().EnterTrace(message);
  try {
    handler(message);
  } catch (...) {
    const std::optional<Verdict> verdict = ThrownVerdict();
    if (!verdict || !message.Settle(*verdict)) session.OnThrown(WhatWasThrown());
  }
}

}  // namespace

void HandleMessages(Session& session, const Handler& handler) {
  std::shared_ptr<Frame> frame;
  while (std::optional<Message> message = session.inbox().Next(frame)) {
    const Turn turn(*message);  // ends after the message
    HandleOne(session, handler, *message);
    message.reset();
    if (!frame || frame->exhausted()) session.Flush();
  }
}

void HandleBatches(Session& session, const BatchHandler& handler) {
  const uint32_t wished = session.options().max_batch;
  const size_t most = wished > 0 ? wished : kMostInBatch;
  std::shared_ptr<Frame> frame;
  std::vector<Message> batch;
  std::vector<Turn> turns;
  while (session.inbox().Take(frame, most, Inbox::kForever, batch)) {
    for (const Message& message : batch) {
      if (Turn::IsNeeded(message)) turns.emplace_back(message);
    }
    try {
      session.SettleAll(batch, handler(batch));
    } catch (...) {
      const std::optional<Verdict> verdict = ThrownVerdict();
      session.SettleAll(batch, verdict.value_or(Nak()));
      if (!verdict) session.OnThrown(WhatWasThrown());
    }
    batch.clear();
    turns.clear();
  }
}

}  // namespace sluice::internal
