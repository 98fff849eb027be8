#include "test/conformance/drivers/cpp/commands.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "test/conformance/drivers/cpp/attempt.h"
#include "test/conformance/drivers/cpp/trace.h"

namespace sluice::conformance {
namespace {

using std::chrono::milliseconds;

// "subject" or "header:Name"
Key KeyNamed(const std::string& name) {
  if (name == "subject") return [](const Message& m) { return m.subject(); };
  return [header = name.substr(name.find(':') + 1)](const Message& m) { return m.header(header).value_or(""); };
}

ConsumeOptions OptionsOf(const Json& given, const Told& told) {
  ConsumeOptions options;
  options.concurrency = given.value("concurrency", options.concurrency);
  options.credit.messages = given.value("credit_messages", options.credit.messages);
  options.credit.bytes = given.value("credit_bytes", options.credit.bytes);
  options.max_batch = given.value("max_batch", options.max_batch);
  options.hand_back = given.value("hand_back", options.hand_back);
  options.confirm = given.value("confirm", options.confirm);
  options.resumable = given.value("resumable", options.resumable);
  options.remembered = given.value("remembered", options.remembered);
  if (given.contains("key")) options.key = KeyNamed(given["key"]);
  options.trace = ScopeOf;
  options.on_state = [told](State state, const std::string& detail) { told.State(state, detail); };
  options.on_draining = [told](const Draining& draining) { told.Draining(draining); };
  options.on_error = [told](const grpc::Status& error) { told.Error(error); };
  return options;
}

std::optional<milliseconds> TimeoutOf(const Json& command) {
  if (!command.contains("timeout_ms")) return std::nullopt;
  return milliseconds(command["timeout_ms"].get<int64_t>());
}

}  // namespace

Commands::~Commands() {
  ends_ = true;
  for (auto& [as, running] : running_) running->consumption->Stop();
  for (auto& [as, running] : running_) {
    running->closed.join();
    for (std::thread& thread : running->threads) thread.join();
  }
}

void Commands::Do(const Json& command) {
  const std::string what = command.at("do");
  if (what == "consume") return Consume(command);
  if (what == "release") return script_.Release(command.at("sequence"), command.value("steps", "ack"));
  Running& running = *running_.at(command.at("as"));
  Consumption& consumption = *running.consumption;
  if (what == "fetch") {
    Fetch(running, command.at("n"), milliseconds(command.at("max_wait_ms").get<int64_t>()));
  } else if (what == "drain") {
    running.threads.emplace_back(
        [&, timeout = TimeoutOf(command)] { running.told.Drained(consumption.Drain(timeout)); });
  } else if (what == "stop") {
    consumption.Stop();
  } else if (what == "stats") {
    running.told.Stats(consumption.stats());
  } else if (what == "run") {
    Run(running);
  } else {
    throw std::runtime_error("no such command: " + what);
  }
}

void Commands::Consume(const Json& command) {
  const std::string as = command.at("as");
  const std::string style = command.at("style");
  const std::string consumer = command.at("consumer");
  const Json given = command.value("options", Json::object());
  Running& running = *(running_[as] = std::make_unique<Running>(Told(events_, as)));
  running.client = std::make_unique<Client>(ClientOptions{.client_id = given.value("client_id", std::string())});
  ConsumeOptions options = OptionsOf(given, running.told);
  running.confirm = options.confirm;
  if (style == "iterator") {
    Iterate(running, consumer, std::move(options), given.value("break_after", -1));
  } else if (style == "fetch") {
    running.fetcher = std::make_shared<Fetcher>(running.client->Fetcher(consumer, std::move(options)));
    running.consumption = running.fetcher;
  } else if (style == "manual") {
    HandleManually(running, consumer, std::move(options));
  } else {
    Handle(running, consumer, std::move(options));
  }
  running.closed = std::thread([&running] { running.told.Closed(running.consumption->Closed()); });
}

void Commands::Handle(Running& running, const std::string& consumer, ConsumeOptions options) {
  const Told& told = running.told;
  options.on_outcome = [&told](uint64_t sequence, Outcome outcome) { told.Result(sequence, outcome); };
  running.consumption =
      std::make_shared<Consumption>(running.client->Consume(consumer, std::move(options), [this, &told](Message& m) {
        Attempt attempt(told, script_, m, false, false);
        attempt.Run();
        return attempt.Return();
      }));
}

void Commands::HandleManually(Running& running, const std::string& consumer, ConsumeOptions options) {
  running.consumption =
      std::make_shared<Consumption>(running.client->Consume(consumer, std::move(options), [this, &running](Message m) {
        Attempt attempt(running.told, script_, m, true, running.confirm);
        attempt.Run();
        (void)attempt.Return();  // for what it throws
      }));
}

void Commands::Iterate(Running& running, const std::string& consumer, ConsumeOptions options, int break_after) {
  const auto messages = std::make_shared<Messages>(running.client->Messages(consumer, std::move(options)));
  running.consumption = messages;
  running.threads.emplace_back([this, &running, messages, break_after] {
    int left = break_after;
    for (Message& m : *messages) {
      Attempt(running.told, script_, m, true, running.confirm).Run();
      if (--left == 0) break;
    }
    if (left == 0) running.told.Drained(messages->Drain());
  });
}

void Commands::Fetch(Running& running, size_t n, milliseconds max_wait) {
  running.threads.emplace_back([this, &running, n, max_wait] {
    size_t count = 0;
    for (Message& m : running.fetcher->Fetch(n, max_wait)) {
      Attempt(running.told, script_, m, true, running.confirm).Run();
      ++count;
    }
    running.told.Fetched(count);
  });
}

void Commands::Run(Running& running) {
  running.threads.emplace_back([this, &running] {
    const DrainReport report = RunUntilSignal(*running.consumption);
    if (ends_) return;  // its input has ended
    running.told.Drained(report);
    running.closed.join();        // it has told of the end
    running.consumption.reset();  // as at the end of main(): waits for the handlers
    events_.Exit(report.completed ? 0 : 1);
  });
}

}  // namespace sluice::conformance
