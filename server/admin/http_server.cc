#include "admin/http_server.h"

#include <civetweb.h>

#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace sluice::admin {
namespace {

// Probes, a scrape and one that hangs.
constexpr char kThreads[] = "4";
// For a client to say what it wants.
constexpr char kRequestTimeoutMs[] = "2000";

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

void Write(mg_connection* connection, const Response& response, bool with_body) {
  std::string text = absl::StrCat(
      "HTTP/1.1 ", response.status, " ", Reason(response.status), "\r\nContent-Type: ", response.content_type,
      "\r\nContent-Length: ", response.body.size(), "\r\nCache-Control: no-store\r\nConnection: close\r\n");
  if (!response.allow.empty()) absl::StrAppend(&text, "Allow: ", response.allow, "\r\n");
  absl::StrAppend(&text, "\r\n", with_body ? response.body : "");
  mg_write(connection, text.data(), text.size());
}

}  // namespace

// Between civetweb's threads and the handler; outlives the server, as those threads do.
struct HttpServer::Gate {
  absl::Mutex mutex;  // shared by calls, exclusive for closing
  Handle handle ABSL_GUARDED_BY(mutex);
  mg_context* context = nullptr;
  std::string error;  // of the start

  static int OnRequest(mg_connection* connection, void* gate) {
    return static_cast<Gate*>(gate)->OnRequest(connection);
  }

  int OnRequest(mg_connection* connection) {
    const mg_request_info* const info = mg_get_request_info(connection);
    const Request request = {info->request_method, info->local_uri, info->remote_addr};
    Response response;
    {
      absl::ReaderMutexLock lock(&mutex);
      if (handle == nullptr) return 0;  // it ends
      response = handle(request);
    }
    Write(connection, response, request.method != "HEAD");
    return response.status;
  }
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address, Handle handle) {
  if (absl::StartsWith(address, "[") && mg_check_feature(MG_FEATURES_IPV6) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot listen on ", address, ": this build's HTTP has no IPv6; use 0.0.0.0 and a port, or exec probes"));
  }
  static const unsigned initialized = mg_init_library(0);
  (void)initialized;
  auto gate = std::make_shared<Gate>();
  {
    absl::MutexLock lock(&gate->mutex);
    gate->handle = std::move(handle);
  }
  mg_callbacks callbacks{};
  callbacks.log_message = [](const mg_connection* connection, const char* message) {
    auto* const told = static_cast<Gate*>(mg_get_user_data(mg_get_context(connection)));
    if (told != nullptr && told->context == nullptr && told->error.empty()) told->error = message;
    return 1;
  };
  const char* options[] = {"listening_ports", address.c_str(),     "num_threads", kThreads, "request_timeout_ms",
                           kRequestTimeoutMs, "enable_keep_alive", "no",          nullptr};
  mg_context* const context = mg_start(&callbacks, gate.get(), options);
  if (context == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, gate->error.empty() ? "" : ": ",
                                               gate->error, "; is another one there? choose a free port"));
  }
  gate->context = context;
  mg_set_request_handler(context, "/", &Gate::OnRequest, gate.get());
  mg_server_port port{};
  mg_get_server_ports(context, 1, &port);

  std::unique_ptr<HttpServer> server(new HttpServer());
  server->gate_ = std::move(gate);
  server->port_ = port.port;
  return server;
}

HttpServer::~HttpServer() {
  {
    absl::MutexLock lock(&gate_->mutex);
    gate_->handle = nullptr;
  }
  std::thread([gate = std::move(gate_)] { mg_stop(gate->context); }).detach();
}

}  // namespace sluice::admin
