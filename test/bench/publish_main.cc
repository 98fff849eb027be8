// bench_publish URL STREAM COUNT PAYLOAD_BYTES [flags]: makes a stream anew and fills it, or publishes to one at a
// steady rate.
#include <nats/nats.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "test/bench/latency.h"

namespace {

struct Options {
  std::string url;
  std::string stream;
  uint64_t count = 0;
  size_t payload_bytes = 0;
  uint32_t keys = 1;
  double rate = 0;
  bool file = false;
  bool make = false;
  bool keep = false;
};

void Require(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "bench_publish: %s: %s\n", what, natsStatus_GetText(status));
  std::exit(70);
}

// A subject for each key, <stream>.bench.<key>.
std::vector<std::string> Subjects(const Options& options) {
  std::vector<std::string> subjects;
  for (uint32_t key = 0; key < options.keys; ++key) {
    subjects.push_back(options.stream + ".bench." + std::to_string(key));
  }
  return subjects;
}

void MakeStream(const Options& options, jsCtx* js) {
  js_DeleteStream(js, options.stream.c_str(), nullptr, nullptr);  // there may be none
  const std::string all = options.stream + ".bench.*";
  const char* subjects[] = {all.c_str()};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = options.stream.c_str();
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Storage = options.file ? js_FileStorage : js_MemoryStorage;
  Require(js_AddStream(nullptr, js, &config, nullptr, nullptr), "create the stream");
}

// At `count` messages, or it fails.
void Fill(const Options& options, jsCtx* js) {
  const std::string payload(options.payload_bytes, 'x');
  const std::vector<std::string> subjects = Subjects(options);
  for (uint64_t i = 0; i < options.count; ++i) {
    Require(js_PublishAsync(js, subjects[i % subjects.size()].c_str(), payload.data(), static_cast<int>(payload.size()),
                            nullptr),
            "publish");
  }
  Require(js_PublishAsyncComplete(js, nullptr), "wait for the stream");
  jsStreamInfo* info = nullptr;
  Require(js_GetStreamInfo(&info, js, options.stream.c_str(), nullptr, nullptr), "look at the stream");
  const uint64_t stored = info->State.Msgs;
  jsStreamInfo_Destroy(info);
  if (stored == options.count || options.keep) return;
  std::fprintf(stderr, "bench_publish: the stream has %lu messages, not %lu\n", stored, options.count);
  std::exit(70);
}

// Each message says when it was published. The first one comes after a whole interval.
void PublishPaced(const Options& options, natsConnection* connection) {
  prctl(PR_SET_TIMERSLACK, 1UL);  // ns; the kernel's default would add 50 us
  std::string payload(std::max(options.payload_bytes, sizeof(int64_t)), 'x');
  const std::vector<std::string> subjects = Subjects(options);
  const int64_t start = sluice::bench::MonotonicNanos();
  for (uint64_t i = 0; i < options.count; ++i) {
    const int64_t due = start + static_cast<int64_t>(static_cast<double>(i + 1) / options.rate * 1e9);
    const timespec at = {due / 1'000'000'000, due % 1'000'000'000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) != 0) {
    }
    sluice::bench::Stamp(payload.data());
    Require(natsConnection_Publish(connection, subjects[i % subjects.size()].c_str(), payload.data(),
                                   static_cast<int>(payload.size())),
            "publish");
  }
  Require(natsConnection_Flush(connection), "flush");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App cli("Publishes to a JetStream stream.");
  cli.add_option("URL", options.url)->required();
  cli.add_option("STREAM", options.stream)->required();
  cli.add_option("COUNT", options.count)->required();
  cli.add_option("PAYLOAD_BYTES", options.payload_bytes)->required();
  cli.add_option("--keys", options.keys, "as many subjects, in turn")->check(CLI::PositiveNumber);
  cli.add_option("--rate", options.rate,
                 "messages a second, to a stream that is there; each says when it was published");
  cli.add_flag("--file", options.file, "a stream in files, not in memory");
  cli.add_flag("--make", options.make, "make the stream, and publish nothing");
  cli.add_flag("--keep", options.keep, "fill a stream that is there, with what it has");
  CLI11_PARSE(cli, argc, argv);

  natsConnection* connection = nullptr;
  natsOptions* nats_options = nullptr;
  Require(natsOptions_Create(&nats_options), "options");
  Require(natsOptions_SetURL(nats_options, options.url.c_str()), "options");
  // Else a thread of cnats's writes, some time later.
  if (options.rate > 0) Require(natsOptions_SetSendAsap(nats_options, true), "options");
  Require(natsConnection_Connect(&connection, nats_options), "connect");
  jsCtx* js = nullptr;
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.PublishAsync.MaxPending = 1000;  // a flood is refused in part by newer servers, without a word here
  Require(natsConnection_JetStream(&js, connection, &js_options), "JetStream");
  if (options.rate > 0) {
    PublishPaced(options, connection);
  } else {
    if (!options.keep) MakeStream(options, js);
    if (!options.make) Fill(options, js);
  }
  jsCtx_Destroy(js);
  natsConnection_Destroy(connection);
  natsOptions_Destroy(nats_options);
  nats_Close();
}
