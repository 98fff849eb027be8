// conformance_driver_cpp: the C++ SDK in the hands of the conformance runner. Commands come by standard input, events
// go to standard output; see test/conformance/README.md.
#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include "test/conformance/drivers/cpp/commands.h"

int main() {
  std::signal(SIGPIPE, SIG_IGN);  // the runner may leave first
  sluice::conformance::Events events;
  sluice::conformance::Commands commands(events);
  events.Write({{"event", "ready"}});
  for (std::string line; std::getline(std::cin, line);) {
    try {
      commands.Do(sluice::conformance::Json::parse(line));
    } catch (const std::exception& e) {
      std::cerr << "conformance_driver_cpp: " << line << ": " << e.what() << std::endl;
      return 1;
    }
  }
}
