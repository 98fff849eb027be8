#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

typedef struct __natsConnection natsConnection;

namespace sluice::test {

// What a test does to JetStream beside the code under test: a blocking connection of its own. Any one thread.
class JetStreamAdmin {
 public:
  struct Credentials {
    std::string user;
    std::string password;
  };

  // Connects, and waits until JetStream answers: a cluster has elected its leader by then.
  static absl::StatusOr<std::unique_ptr<JetStreamAdmin>> Connect(const std::string& url, Credentials credentials = {});
  ~JetStreamAdmin();

  // `more` is merged into the configuration: {"num_replicas": 3}.
  absl::Status CreateStream(const std::string& name, const std::vector<std::string>& subjects,
                            const nlohmann::json& more = nlohmann::json::object());
  absl::Status DeleteStream(const std::string& name);
  // A durable pull consumer with explicit acks; `more` is merged into its configuration.
  absl::Status CreateConsumer(const std::string& stream, const std::string& durable,
                              const nlohmann::json& more = nlohmann::json::object());
  absl::Status DeleteConsumer(const std::string& stream, const std::string& durable);
  // CONSUMER.INFO, whole.
  absl::StatusOr<nlohmann::json> ConsumerInfo(const std::string& stream, const std::string& durable);
  absl::StatusOr<nlohmann::json> StreamInfo(const std::string& stream);

  // Publishes and waits for the stream's acknowledgement; its sequence.
  absl::StatusOr<uint64_t> Publish(const std::string& subject, absl::string_view data);
  // `count` messages with the numbers from `first` as data, pipelined; returns when the stream has them all.
  absl::Status PublishNumbers(const std::string& subject, int count, int first = 1);

  // A request of the JetStream API ("CONSUMER.INFO.S.C"); fails if the answer is an error.
  absl::StatusOr<nlohmann::json> Api(const std::string& what, const nlohmann::json& request = nlohmann::json());

 private:
  explicit JetStreamAdmin(natsConnection* nats) : nats_(nats) {}

  absl::StatusOr<nlohmann::json> Request(const std::string& subject, absl::string_view payload);

  natsConnection* const nats_;
};

}  // namespace sluice::test
