#include <benchmark/benchmark.h>

#include <vector>

#include "base/mailbox.h"
#include "core/message.h"

namespace sluice {
namespace {

// A burst from one thread, taken in one go: what each message pays for the way from cnats's thread to the loop.
void BM_MailboxBurst(benchmark::State& state) {
  base::Mailbox<core::Message> mailbox;
  std::vector<core::Message> batch;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) mailbox.Push(core::Message());
    mailbox.Take(batch);
    benchmark::DoNotOptimize(batch.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_MailboxBurst)->Arg(1)->Arg(256);

}  // namespace
}  // namespace sluice
