#include "test/storm/app/handled_sink.h"

#include <fcntl.h>
#include <nats/nats.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace sluice::storm {
namespace {

constexpr std::string_view kNats = "nats://";
constexpr int64_t kAnswerMs = 5000;

// One write() a line, so that those of several processes do not mix.
class FileSink : public HandledSink {
 public:
  explicit FileSink(int file) : file_(file) {}
  ~FileSink() override { close(file_); }

  bool Write(const std::string& line) override {
    return write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }

 private:
  const int file_;
};

class NatsSink : public HandledSink {
 public:
  NatsSink(natsConnection* connection, std::string subject) : connection_(connection), subject_(std::move(subject)) {}
  ~NatsSink() override { natsConnection_Destroy(connection_); }

  bool Write(const std::string& line) override {
    natsMsg* answer = nullptr;
    const natsStatus status = natsConnection_Request(&answer, connection_, subject_.c_str(), line.data(),
                                                     static_cast<int>(line.size()), kAnswerMs);
    const bool stored =
        status == NATS_OK && std::string_view(natsMsg_GetData(answer)).find("\"seq\"") != std::string::npos;
    natsMsg_Destroy(answer);
    return stored;
  }

 private:
  natsConnection* const connection_;
  const std::string subject_;
};

std::unique_ptr<HandledSink> OpenNats(const std::string& where) {
  const size_t slash = where.find('/', kNats.size());
  if (slash == std::string::npos) {
    std::fprintf(stderr, "%s: name a subject, as in nats://host:4222/handled\n", where.c_str());
    return nullptr;
  }
  natsConnection* connection = nullptr;
  const natsStatus status = natsConnection_ConnectTo(&connection, where.substr(0, slash).c_str());
  if (status != NATS_OK) {
    std::fprintf(stderr, "%s: %s\n", where.c_str(), natsStatus_GetText(status));
    return nullptr;
  }
  return std::make_unique<NatsSink>(connection, where.substr(slash + 1));
}

}  // namespace

std::unique_ptr<HandledSink> HandledSink::Open(const std::string& where) {
  if (std::string_view(where).starts_with(kNats)) return OpenNats(where);
  const int file = open(where.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    std::perror(where.c_str());
    return nullptr;
  }
  return std::make_unique<FileSink>(file);
}

}  // namespace sluice::storm
