// Stores orders in SQLite, each once, however often it is delivered:  sluice_order_worker DATABASE [CONSUMER]
//
// A batch is one transaction, and is acked when that is committed. If the worker dies in between, its orders come again
// and are known by their id. SIGTERM drains.
#include <sluice/client.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <utility>
#include <vector>

#include "client-sdk/cpp/examples/order_book.h"

namespace {

void Store(OrderBook& book, sluice::Batch batch) {
  std::vector<std::pair<sluice::Message*, std::string>> rejected;
  try {
    book.Begin();
    for (sluice::Message& message : batch) {
      std::string why;
      if (!book.Add(message.data(), why)) rejected.emplace_back(&message, why);
    }
    book.Commit();
  } catch (const Busy&) {
    book.Rollback();
    throw sluice::RetryAfter(std::chrono::seconds(1));
  } catch (...) {
    book.Rollback();
    throw;  // the batch is NAKed
  }
  for (const auto& [message, why] : rejected) message->Term(why);  // no order will ever come of it
}  // all others are acked

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: sluice_order_worker DATABASE [CONSUMER]" << std::endl;
    return 78;
  }
  try {
    OrderBook book(argv[1]);
    sluice::Client client;
    auto orders =
        client.ConsumeBatches(argc > 2 ? argv[2] : "orders", {}, [&book](sluice::Batch batch) { Store(book, batch); });
    return sluice::RunUntilSignal(orders).completed ? 0 : 1;
  } catch (const std::exception& e) {
    std::cerr << "sluice_order_worker: " << e.what() << std::endl;
    return 1;
  }
}
