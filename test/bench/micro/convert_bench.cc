#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/settlement.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "jetstream/ack_subject.h"
#include "rpc/frame.h"
#include "rpc/requests.h"
#include "sluice/v1/consumer.pb.h"

namespace sluice {
namespace {

constexpr int kFrame = 256;  // messages
constexpr char kReply[] = "$JS.ACK.ORDERS.orders.1.123456789.123456789.1700000000000000000.0";

// JetStream's ack subject into the numbers of a message.
void BM_ParseAckSubject(benchmark::State& state) {
  core::Message message;
  for (auto _ : state) benchmark::DoNotOptimize(jetstream::ParseAckSubject(kReply, message));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ParseAckSubject);

// Deliveries into the bytes of a frame, by the size of their data.
void BM_FrameOut(benchmark::State& state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::vector<core::Delivery> deliveries(kFrame);
  std::vector<const core::Delivery*> batch;
  for (core::Delivery& delivery : deliveries) {
    delivery.id = delivery.message.stream_sequence = delivery.message.consumer_sequence = 123'456'789 + batch.size();
    delivery.message.subject = "orders.created";
    delivery.message.data = data;
    delivery.message.num_delivered = 1;
    delivery.message.timestamp_ns = 1'700'000'000'000'000'000;
    batch.push_back(&delivery);
  }
  grpc::ByteBuffer out;
  for (auto _ : state) {
    rpc::WriteFrame(batch, &out);
    out.Clear();
  }
  state.SetItemsProcessed(state.iterations() * kFrame);
  state.SetBytesProcessed(state.iterations() * kFrame * state.range(0));
}
BENCHMARK(BM_FrameOut)->Arg(128)->Arg(1024)->Arg(16384);

// The bytes of an app's request into verdicts.
void BM_SettleIn(benchmark::State& state) {
  v1::ConsumeRequest sent;
  v1::SettleRun* acked = sent.mutable_settle()->add_runs();
  acked->mutable_ack();
  for (uint64_t i = 0; i < kFrame; ++i) acked->add_ids((uint64_t{1} << 40) + i);
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  if (!grpc::SerializationTraits<v1::ConsumeRequest>::Serialize(sent, &bytes, &own_buffer).ok()) return;
  v1::ConsumeRequest request;
  std::vector<core::SettleRun> runs;
  for (auto _ : state) {
    grpc::ByteBuffer copy = bytes;  // a reference to its slices
    if (!grpc::SerializationTraits<v1::ConsumeRequest>::Deserialize(&copy, &request).ok()) break;
    benchmark::DoNotOptimize(rpc::ReadSettle(request.settle(), &runs).ok());
  }
  state.SetItemsProcessed(state.iterations() * kFrame);
}
BENCHMARK(BM_SettleIn);

}  // namespace
}  // namespace sluice
