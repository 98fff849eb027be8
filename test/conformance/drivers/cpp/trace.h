#pragma once

#include <memory>
#include <string>

#include <sluice/trace.h>

namespace sluice::conformance {

// A tracer in miniature, behind the SDK's hook: the calling thread is in the carried trace until what is returned ends.
std::shared_ptr<void> ScopeOf(const TraceCarrier& carrier);

// Of the calling thread, in hex; empty: it is in none.
std::string CurrentTraceId();

}  // namespace sluice::conformance
