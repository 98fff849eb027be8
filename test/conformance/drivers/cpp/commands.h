#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sluice/client.h>

#include "test/conformance/drivers/cpp/events.h"
#include "test/conformance/drivers/cpp/script.h"

namespace sluice::conformance {

// What the runner asks for. One thread.
class Commands {
 public:
  explicit Commands(Events& events) : events_(events) {}
  // Stops what runs, and waits for it.
  ~Commands();

  void Do(const Json& command);

 private:
  struct Running {
    explicit Running(Told told) : told(std::move(told)) {}
    Told told;
    std::unique_ptr<Client> client;
    std::shared_ptr<Consumption> consumption;
    std::shared_ptr<Fetcher> fetcher;  // the same, in that style
    bool confirm = false;
    std::thread closed;  // tells of its end
    std::vector<std::thread> threads;
  };

  void Consume(const Json& command);
  void Handle(Running& running, const std::string& consumer, ConsumeOptions options);
  void HandleManually(Running& running, const std::string& consumer, ConsumeOptions options);
  void Iterate(Running& running, const std::string& consumer, ConsumeOptions options, int break_after);
  void Fetch(Running& running, size_t n, std::chrono::milliseconds max_wait);
  void Run(Running& running);

  Events& events_;
  std::atomic<bool> ends_{false};
  Script script_;
  std::map<std::string, std::unique_ptr<Running>> running_;
};

}  // namespace sluice::conformance
