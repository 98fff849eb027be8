#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/server_call.h"

namespace sluice::rpc {

class HealthWatch;

// grpc.health.v1, of two services: "" is the daemon, and "sluice.v1.ConsumerService" is no different. Not gRPC's own
// one, which is made with the callback API. Owned by Server; answers from the loop.
class HealthService final : public grpc::health::v1::Health::AsyncService {
 public:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;

  explicit HealthService(CallShared* shared) : shared_(shared) {}
  ~HealthService() override;

  // Asks gRPC for the first call of each method. Once the server is built.
  void Serve();

  // --- the loop ---
  void SetServing(bool serving);  // at first: not
  Response::ServingStatus StatusOf(const std::string& service) const;

  // Who is told of changes.
  void Add(HealthWatch* watch) { watches_.insert(watch); }
  void Remove(HealthWatch* watch) { watches_.erase(watch); }

 private:
  absl::Status AnswerCheck(const Request& request, Response* response);

  CallShared* const shared_;

  // Loop only.
  bool serving_ = false;
  absl::flat_hash_set<HealthWatch*> watches_;
};

}  // namespace sluice::rpc
