// An app outside of Sluice's own build. There is no daemon for it: it says so, and ends.
#include <sluice/client.h>

#include <iostream>

int main() {
  sluice::Client client({.address = "unix:///nowhere/sluice.sock"});
  auto orders = client.Consume("orders", {.concurrency = 2}, [](sluice::Message&) {});
  const sluice::DrainReport report = orders.Drain();
  std::cout << client.client_id() << ": " << sluice::ToString(orders.state()) << std::endl;
  return !report.completed && orders.Closed().ok() ? 0 : 1;
}
