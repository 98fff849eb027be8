#include "rpc/self_call.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "sluice/v1/admin.grpc.pb.h"

namespace sluice::rpc {

absl::Status SelfCall::Try(absl::Duration patience) {
  for (const std::string& address : addresses_) {
    if (absl::Status status = Call(address, patience); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SelfCall::Call(const std::string& address, absl::Duration patience) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own, each time
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub =
      v1::AdminService::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + patience));
  {
    absl::MutexLock lock(&mutex_);
    if (cancelled_) return absl::CancelledError("the daemon ends");
    context_ = &context;
  }
  v1::Status answer;
  const grpc::Status status = stub->GetStatus(&context, {}, &answer);
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(address, ": ", status.error_message()));
}

void SelfCall::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

}  // namespace sluice::rpc
