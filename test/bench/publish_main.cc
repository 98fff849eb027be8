// bench_publish URL STREAM COUNT PAYLOAD_BYTES: makes a stream in memory anew and fills it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <nats/nats.h>

namespace {

void Require(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "%s: %s\n", what, natsStatus_GetText(status));
  std::exit(70);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_publish URL STREAM COUNT PAYLOAD_BYTES\n");
    return 78;
  }
  const std::string stream = argv[2];
  const long count = std::atol(argv[3]);
  const std::string payload(std::strtoul(argv[4], nullptr, 10), 'x');
  natsConnection* connection = nullptr;
  jsCtx* js = nullptr;
  Require(natsConnection_ConnectTo(&connection, argv[1]), "connect");
  jsOptions options;
  jsOptions_Init(&options);
  options.PublishAsync.MaxPending = 1000;  // a flood is refused in part by newer servers, without a word here
  Require(natsConnection_JetStream(&js, connection, &options), "JetStream");
  js_DeleteStream(js, stream.c_str(), nullptr, nullptr);  // there may be none
  const std::string subject = stream + ".bench";
  const char* subjects[] = {subject.c_str()};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = stream.c_str();
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = js_MemoryStorage;
  Require(js_AddStream(nullptr, js, &config, nullptr, nullptr), "create the stream");
  for (long i = 0; i < count; ++i) {
    Require(js_PublishAsync(js, subject.c_str(), payload.data(), static_cast<int>(payload.size()), nullptr), "publish");
  }
  Require(js_PublishAsyncComplete(js, nullptr), "wait for the stream");
  jsStreamInfo* info = nullptr;
  Require(js_GetStreamInfo(&info, js, stream.c_str(), nullptr, nullptr), "look at the stream");
  const auto stored = static_cast<long>(info->State.Msgs);
  jsStreamInfo_Destroy(info);
  if (stored != count) {
    std::fprintf(stderr, "the stream has %ld messages, not %ld\n", stored, count);
    return 70;
  }
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  nats_Close();
}
