/// @file
/// An app's connection to the Sluice daemon beside it. The one header to include.
#pragma once

#include <memory>
#include <string>

#include "sluice/consumption.h"
#include "sluice/fetcher.h"
#include "sluice/handler.h"
#include "sluice/message.h"
#include "sluice/messages.h"
#include "sluice/options.h"
#include "sluice/run.h"
#include "sluice/verdict.h"

/// The Sluice client.
namespace sluice {

/// An app's connection to the Sluice daemon beside it. Opens nothing by itself: connecting, and reconnecting, is each
/// consumption's own business. Thread-safe. Consumptions may outlive it.
///
///     sluice::Client client;
///     auto orders = client.Consume("orders", {.concurrency = 8}, [](sluice::Message& m) { Work(m.data()); });
///     sluice::RunUntilSignal(orders);
class Client {
 public:
  explicit Client(ClientOptions options = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Calls `handler` for the messages of a consumer of the daemon's configuration, from now on.
  [[nodiscard]] Consumption Consume(const std::string& consumer, Handler handler);
  [[nodiscard]] Consumption Consume(const std::string& consumer, ConsumeOptions options, Handler handler);

  /// The same with all that waits at a time.
  [[nodiscard]] Consumption ConsumeBatches(const std::string& consumer, ConsumeOptions options, BatchHandler handler);

  /// The messages of a consumer as a range.
  [[nodiscard]] sluice::Messages Messages(const std::string& consumer, ConsumeOptions options = {});

  /// The messages of a consumer on demand.
  [[nodiscard]] sluice::Fetcher Fetcher(const std::string& consumer, ConsumeOptions options = {});

  /// Consumption::Stop() for all of them.
  void Stop();

  const std::string& address() const;
  const std::string& client_id() const;

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace sluice
