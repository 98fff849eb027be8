#pragma once

#include <functional>

#include "client-sdk/cpp/session.h"
#include "sluice/handler.h"

namespace sluice::internal {

// What one of a Subscription's threads does, until the session is closed. Nothing that a handler throws gets past it.
using Work = std::function<void(Session&)>;

void HandleMessages(Session& session, const Handler& handler);
void HandleBatches(Session& session, const BatchHandler& handler);

}  // namespace sluice::internal
