#include "app/admin_client.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "app/exit_code.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace sluice::app {
namespace {

constexpr char kDefaultAddress[] = "unix:///run/sluice/sluice.sock";
// Calls that the daemon answers at once. On a busy machine that may still take a while.
constexpr absl::Duration kPatience = absl::Seconds(5);

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return proto;
}

}  // namespace

void AddAddressFlag(CLI::App* command, std::string& address) {
  const char* const variable = std::getenv("SLUICE_ADDRESS");
  address = variable != nullptr && *variable != '\0' ? variable : kDefaultAddress;
  command->add_option("--address", address, "The daemon's, as gRPC spells it [$SLUICE_ADDRESS]")
      ->type_name("ADDRESS")
      ->capture_default_str();
}

AdminClient::AdminClient(const std::string& address)
    : address_(address),
      channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
      admin_(v1::AdminService::NewStub(channel_)) {}

absl::StatusOr<v1::DrainResponse> AdminClient::Drain(absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  v1::DrainRequest request;
  if (timeout != absl::InfiniteDuration()) *request.mutable_timeout() = ToProto(timeout);
  v1::DrainResponse response;
  if (absl::Status status = ToStatus(admin_->Drain(&context, request, &response)); !status.ok()) return status;
  return response;
}

absl::StatusOr<v1::WaitDrainedResponse> AdminClient::WaitDrained(absl::Time deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  v1::WaitDrainedResponse response;
  if (absl::Status status = ToStatus(admin_->WaitDrained(&context, {}, &response)); !status.ok()) return status;
  return response;
}

absl::StatusOr<v1::Status> AdminClient::GetStatus() {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  v1::Status response;
  if (absl::Status status = ToStatus(admin_->GetStatus(&context, {}, &response)); !status.ok()) return status;
  return response;
}

absl::StatusOr<bool> AdminClient::IsServing(const std::string& service, absl::Duration timeout) {
  using grpc::health::v1::HealthCheckResponse;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  HealthCheckResponse response;
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  if (absl::Status status = ToStatus(stub->Check(&context, request, &response)); !status.ok()) return status;
  return response.status() == HealthCheckResponse::SERVING;
}

absl::Status AdminClient::ToStatus(const grpc::Status& status) const {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return absl::OkStatus();
    case grpc::StatusCode::UNAVAILABLE:
      return absl::UnavailableError(absl::StrCat("no daemon at ", address_, ": ", status.error_message(),
                                                 "; is it running? give its address with --address or SLUICE_ADDRESS"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DeadlineExceededError(absl::StrCat("the daemon at ", address_, " did not answer in time"));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(absl::StrCat("what listens at ", address_, " is not a Sluice daemon"));
    default:
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
}

int FailCall(const char* command, const absl::Status& status) {
  std::fprintf(stderr, "sluice %s: %s\n", command, std::string(status.message()).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? kExitConfiguration : kExitUnavailable;
}

}  // namespace sluice::app
