// Prints and acks the messages of one consumer until Ctrl-C:  hello [CONSUMER]
#include <sluice/client.h>

#include <iostream>

int main(int argc, char** argv) {
  sluice::Client client;
  auto consumption = client.Consume(argc > 1 ? argv[1] : "orders", [](sluice::Message& m) {
    std::cout << m.subject() << " " << m.data() << std::endl;
    return sluice::Ack();
  });
  const sluice::DrainReport report = sluice::RunUntilSignal(consumption);
  if (const grpc::Status end = consumption.Closed(); !end.ok()) std::cerr << end.error_message() << std::endl;
  return report.completed ? 0 : 1;
}
