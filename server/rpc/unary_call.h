#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/async_unary_call.h"
#include "rpc/convert.h"
#include "rpc/server_call.h"

namespace sluice::rpc {

// One call of a unary method. See ServerCall for threads and lifetime.
template <typename Request, typename Response>
class UnaryCall : public ServerCall {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<Response>;

  void Abort(const absl::Status& reason) final { End(reason); }

 protected:
  explicit UnaryCall(CallShared* shared) : ServerCall(shared), writer_(context()) {}

  // Asks gRPC for this call, by the generated Request... of its method.
  template <typename Service, typename Base>
  void Ask(Service* service, void (Base::*method)(grpc::ServerContext*, Request*, Writer*, grpc::CompletionQueue*,
                                                  grpc::ServerCompletionQueue*, void*)) {
    (service->*method)(context(), &request_, &writer_, queue(), queue(), arrival());
  }

  // The request is there: fills in response() and calls End(), now or later.
  virtual void Answer() = 0;
  // The call ends, and nothing may come after it.
  virtual void OnEnd() {}

  // Sends the response, or the error. Only the first one counts.
  void End(const absl::Status& status) {
    if (ended_) return;
    ended_ = true;
    OnEnd();
    if (status.ok()) {
      writer_.Finish(response_, grpc::Status::OK, Finishing());
    } else {
      writer_.FinishWithError(ToGrpc(status), Finishing());
    }
  }

  const Request& request() const { return request_; }
  Response* response() { return &response_; }
  bool ended() const { return ended_; }

 private:
  void Begin() final {
    if (!ended_) Answer();
  }
  void OnGone() final { End(absl::CancelledError("the caller is gone")); }

  Request request_;  // gRPC's until the call has arrived

  Response response_;
  Writer writer_;
  bool ended_ = false;
};

// A call that is answered at once, by a member of the service.
template <typename Service, typename Base, typename Request, typename Response>
class AnsweredCall final : public UnaryCall<Request, Response> {
 public:
  struct Method {
    Service* service;  // outlives all calls
    void (Base::*ask)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                      grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
    absl::Status (Service::*answer)(const Request&, Response*);
  };

  static void AskFor(CallShared* shared, const Method& method) {
    auto* call = new AnsweredCall(shared, method);  // deletes itself
    call->Ask(method.service, method.ask);
  }

 private:
  AnsweredCall(CallShared* shared, const Method& method) : UnaryCall<Request, Response>(shared), method_(method) {}

  void AskForNext() override { AskFor(this->shared(), method_); }
  void Answer() override { this->End((method_.service->*method_.answer)(this->request(), this->response())); }

  const Method method_;
};

// Serves a method by a member of the service, which answers on the loop: `ask` is the generated Request... of the
// method.
template <typename Service, typename Base, typename Request, typename Response>
void ServeMethod(CallShared* shared, Service* service,
                 void (Base::*ask)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                                   grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                 absl::Status (Service::*answer)(const Request&, Response*)) {
  AnsweredCall<Service, Base, Request, Response>::AskFor(shared, {service, ask, answer});
}

}  // namespace sluice::rpc
