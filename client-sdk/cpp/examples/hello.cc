// Prints and acks the messages of one consumer until Ctrl-C:  sluice_hello [CONSUMER]
#include <sluice/client.h>

#include <iostream>

int main(int argc, char** argv) {
  sluice::Client client;
  auto consumption = client.Consume(argc > 1 ? argv[1] : "orders", [](sluice::Message& m) {
    std::cout << m.subject() << " " << m.data() << std::endl;
  });
  return sluice::RunUntilSignal(consumption).completed ? 0 : 1;
}
