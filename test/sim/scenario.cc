#include "test/sim/scenario.h"

#include <algorithm>
#include <utility>

namespace sluice::test {

// Daemons go first: they know the streams and the server.
Scenario::~Scenario() { daemons_.clear(); }

ModelJetStream& Scenario::server() {
  if (server_ == nullptr) server_ = std::make_unique<ModelJetStream>(&loop_.timers(), server_options, this);
  return *server_;
}

Scenario::TestDaemon& Scenario::StartDaemon() {
  options.name = "orders";
  source_options.owner = static_cast<int>(daemons_.size()) + 1;
  TestDaemon& daemon = daemons_.emplace_back();
  auto source = std::make_unique<ModelSource>(&server(), &loop_.timers(), source_options, this);
  daemon.source = source.get();
  daemon.core = std::make_unique<core::Daemon>(&loop_.timers());
  daemon.number = static_cast<uint64_t>(source_options.owner);
  daemon.tokens = std::make_unique<BookTokens>(&book, daemon.number);
  if (with_tokens) daemon.core->SetTokens(daemon.tokens.get());
  daemon.core->AddConsumer(options, std::move(source));
  RunFor(absl::Milliseconds(20));
  return daemon;
}

void Scenario::Drain(TestDaemon& daemon, absl::Duration timeout) {
  daemon.core->WhenDrained([&daemon](const core::Daemon::Report& report) { daemon.report = report.total; });
  daemon.core->Drain(timeout);
}

void Scenario::Terminate(TestDaemon& daemon, absl::Duration timeout) {
  daemon.core->WhenDrained([&daemon](const core::Daemon::Report& report) { daemon.report = report.total; });
  daemon.core->Terminate(timeout, [&daemon](const core::Daemon::Report&) { daemon.exited = true; });
}

Scenario::TestApp& Scenario::Open(TestDaemon& daemon, core::Credit credit, std::string client_id,
                                  std::vector<uint64_t> resume) {
  core::OpenRequest request;
  request.consumer = "orders";
  request.client_id = std::move(client_id);
  request.credit = credit;
  request.resume = std::move(resume);
  return OpenWith(daemon, request);
}

Scenario::TestApp& Scenario::OpenWith(TestDaemon& daemon, const core::OpenRequest& request) {
  TestApp& app = apps_.emplace_back();
  auto session = daemon.core->Open(request, &app.stream);
  EXPECT_TRUE(session.ok()) << session.status();
  app.session = session.ok() ? *session : nullptr;
  return app;
}

void Scenario::Settle(TestApp& app, const std::vector<uint64_t>& sequences, core::Settlement settlement) {
  std::vector<uint64_t> ids;
  for (uint64_t sequence : sequences) ids.push_back(app.stream.id_of(sequence));
  const core::SettleRun run = {ids, settlement};
  app.session->OnSettle({&run, 1});
}

void Scenario::Publish(int count, size_t size) {
  for (int i = 0; i < count; ++i) server().Publish("orders.new", std::string(size, 'x'));
}

testing::AssertionResult Scenario::RunUntil(const std::function<bool()>& condition, absl::Duration limit) {
  const absl::Time end = now() + limit;
  while (!condition() && loop_.Step(end)) {
  }
  if (condition()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "not within " << limit;
}

uint64_t Scenario::CountSent(core::Verdict verdict) const {
  return std::count_if(sent.begin(), sent.end(), [&](const Sent& one) { return one.verdict == verdict; });
}

void Scenario::OnVerdictSent(const Attempt& attempt, const core::Settlement& settlement,
                             ModelJetStream::Sending sending) {
  if (sending.confirm) return;
  sent.push_back({now(), attempt.stream_sequence, attempt.num_delivered, settlement.verdict});
}

}  // namespace sluice::test
