#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "jetstream/connection_options.h"

namespace sluice::jetstream {

// Which dead letters to put back.
struct RedriveOrder {
  std::string stream;   // of the consumer
  std::string durable;  // the consumer
  std::string subject;  // of its dead letters
  std::string filter;   // of their original subjects, with wildcards; empty: all
  uint64_t limit = 0;   // at most so many; 0: all
  bool dry_run = false;
};

// What became of them.
struct RedriveReport {
  std::string dead_letter_stream;
  uint64_t redriven = 0;   // put back (or would be), and removed from the dead letters
  uint64_t repeated = 0;   // of those: an earlier run had put them back, and had ended before it removed them
  uint64_t of_others = 0;  // left alone: of other consumers, or no dead letters
  uint64_t filtered = 0;   // left alone: the filter does not let them through
  std::map<std::string, uint64_t> by_subject;  // those redriven
  std::vector<std::string> unusable;           // left alone: why, one sentence each; at most kMostSentences
  uint64_t num_unusable = 0;

  static constexpr size_t kMostSentences = 20;
};

// Publishes the dead letters that were there when it began on their original subjects, in their order, with their
// original headers (core::OriginalHeaders()), and removes each once its stream has it. Each has a Nats-Msg-Id of its
// own, so that a run after one that was killed repeats nothing within the stream's duplicate window, and loses nothing.
//
// Blocks, without a limit while it gets on; needs no loop. `progress` is called after each letter. `report` is right
// whatever is returned. UNAVAILABLE: not connected within `timeout`, or the connection went, or a stream refused ·
// NOT_FOUND: no stream holds the dead letters, or the consumer's is gone · FAILED_PRECONDITION: the dead letters cannot
// be removed, or another stream than the consumer's has taken one. Each says what to do.
absl::Status Redrive(const ConnectionOptions& options, const RedriveOrder& order, absl::Duration timeout,
                     absl::FunctionRef<void(const RedriveReport&)> progress, RedriveReport* report);

}  // namespace sluice::jetstream
