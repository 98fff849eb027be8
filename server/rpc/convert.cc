#include "rpc/convert.h"

#include <variant>

namespace sluice::rpc {
namespace {

void Assign(absl::string_view from, std::string* to) { to->assign(from.data(), from.size()); }

// The alternatives of core::Notice, each into its member of the response's oneof.
class NoticeWriter {
 public:
  NoticeWriter(const std::string& server, v1::ConsumeResponse* out) : server_(server), out_(out) {}

  void operator()(const core::OpenedNotice& notice) {
    v1::Opened* opened = out_->mutable_opened();
    opened->set_server(server_);
    if (notice.ack_wait > absl::ZeroDuration()) *opened->mutable_ack_wait() = ToProto(notice.ack_wait);
    *opened->mutable_max_lease() = ToProto(notice.max_lease);
    opened->mutable_credit()->set_messages(notice.credit.messages);
    opened->mutable_credit()->set_bytes(notice.credit.bytes);
    opened->set_max_batch(notice.max_batch);
    for (uint64_t id : notice.resumed) {
      v1::Resumed* resumed = opened->add_resumed();
      resumed->set_held_id(id);
      resumed->set_id(id);
    }
    for (const core::OpenedNotice::Adopted& adopted : notice.adopted) {
      v1::Resumed* resumed = opened->add_resumed();
      resumed->set_held_id(adopted.held_id);
      resumed->set_id(adopted.id);
    }
    for (const core::OpenedNotice::Refused& refused : notice.refused) {
      v1::Refused* to = opened->add_refused();
      to->set_held_id(refused.held_id);
      to->set_reason(refused.reason);
    }
    opened->set_stream(notice.stream);
    opened->set_durable(notice.durable);
  }

  void operator()(const core::SettleResultsNotice& notice) {
    v1::SettleResults* results = out_->mutable_settle_results();
    for (const core::SettleResultsNotice::Result& result : notice.results) {
      v1::SettleResult* to = results->add_results();
      to->set_outcome(static_cast<v1::SettleResult::Outcome>(result.outcome));
      to->mutable_ids()->Add(result.ids.begin(), result.ids.end());
      to->set_detail(result.detail);
    }
  }

  void operator()(const core::StateNotice& notice) {
    v1::State* state = out_->mutable_state();
    state->set_kind(static_cast<v1::State::Kind>(notice.state));
    state->set_detail(notice.detail);
  }

  void operator()(const core::LeasesEndedNotice& notice) {
    out_->mutable_leases_ended()->mutable_ids()->Add(notice.ids.begin(), notice.ids.end());
  }

  void operator()(const core::DrainingNotice& notice) {
    v1::Draining* draining = out_->mutable_draining();
    draining->set_reason(static_cast<v1::Draining::Reason>(notice.reason));
    *draining->mutable_deadline() = ToProto(notice.deadline);
  }

  void operator()(const core::DrainedNotice& notice) {
    ToProto(notice.report, out_->mutable_drained()->mutable_report());
  }

 private:
  const std::string& server_;
  v1::ConsumeResponse* const out_;
};

void AddHeaders(const core::Message& message, v1::Delivery* out) {
  out->clear_headers();
  for (const core::Header& header : message.headers) {
    v1::Header* to = out->add_headers();
    Assign(header.name, to->mutable_name());
    Assign(header.value, to->mutable_value());
  }
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  google::protobuf::Timestamp out;
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>((time - absl::FromUnixSeconds(seconds)) / absl::Nanoseconds(1)));
  return out;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration out;
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  out.set_nanos(static_cast<int32_t>(duration / absl::Nanoseconds(1)));
  return out;
}

void ToProto(const core::Delivery& delivery, v1::Delivery* out) {
  constexpr int64_t kNanos = 1'000'000'000;
  const core::Message& message = delivery.message;
  out->set_id(delivery.id);
  Assign(message.subject, out->mutable_subject());
  AddHeaders(message, out);
  Assign(message.data, out->mutable_data());
  out->set_stream_sequence(message.stream_sequence);
  out->set_consumer_sequence(message.consumer_sequence);
  out->set_num_delivered(delivery.attempt());
  out->set_num_pending(message.num_pending);
  out->mutable_timestamp()->set_seconds(message.timestamp_ns / kNanos);
  out->mutable_timestamp()->set_nanos(static_cast<int32_t>(message.timestamp_ns % kNanos));
  Assign(delivery.key, out->mutable_key());
  if (delivery.token.empty()) {
    out->clear_token();
  } else {
    Assign(delivery.token, out->mutable_token());
  }
}

void ToProto(const core::Notice& notice, const std::string& server, v1::ConsumeResponse* out) {
  out->Clear();
  std::visit(NoticeWriter(server, out), notice);
}

void ToProto(const core::DrainReport& report, v1::DrainReport* out) {
  out->Clear();
  out->set_awaited(report.awaited);
  out->set_acked(report.acked);
  out->set_terminated(report.terminated);
  out->set_naked(report.naked);
  out->set_expired(report.expired);
  out->set_late(report.late);
  out->set_released(report.released);
  out->set_unsettled(report.unsettled);
  out->set_dead_lettered(report.dead_lettered);
  out->set_deadline_exceeded(report.deadline_exceeded);
  for (core::DrainPhase phase : {core::DrainPhase::kQuiescing, core::DrainPhase::kFencing, core::DrainPhase::kReleasing,
                                 core::DrainPhase::kSettling, core::DrainPhase::kConfirming}) {
    v1::PhaseDuration* to = out->add_phases();
    Assign(core::DrainPhaseName(phase), to->mutable_phase());
    *to->mutable_duration() = ToProto(report.phases[static_cast<size_t>(phase)]);
  }
}

void ToProto(const core::Daemon::Report& report, v1::WaitDrainedResponse* out) {
  out->Clear();
  ToProto(report.total, out->mutable_report());
  for (const auto& [name, consumer] : report.consumers) {
    v1::ConsumerDrainReport* to = out->add_consumers();
    to->set_consumer(name);
    ToProto(consumer, to->mutable_report());
  }
}

void ToProto(const core::Consumer& consumer, v1::Consumer* out) {
  out->Clear();
  out->set_name(consumer.options().name);
  out->set_stream(consumer.options().stream);
  out->set_durable(consumer.options().durable);
  out->mutable_state()->set_kind(static_cast<v1::State::Kind>(consumer.state()));
  out->mutable_state()->set_detail(consumer.state_detail());
  Assign(core::DrainPhaseName(consumer.phase()), out->mutable_phase());

  const core::Consumer::Gauges gauges = consumer.gauges();
  const core::Counters counters = consumer.counters();
  v1::ConsumerCounts* counts = out->mutable_counts();
  counts->set_streams(gauges.streams);
  counts->set_in_flight(gauges.in_flight);
  counts->set_buffered(gauges.buffered);
  counts->set_num_pending(gauges.num_pending);
  counts->set_received(counters.received);
  counts->set_delivered(counters.delivered);
  counts->set_redelivered(counters.redelivered);
  counts->set_acked(counters.acked);
  counts->set_naked(counters.naked);
  counts->set_terminated(counters.terminated);
  counts->set_released(counters.released);
  counts->set_late(counters.late);
  counts->set_not_held(counters.not_held);
  counts->set_leases_extended(counters.leases_extended);
  counts->set_leases_ended(counters.leases_ended);
  counts->set_pulls(counters.pulls);
  counts->set_dead_lettered(counters.dead_lettered);
  counts->set_dead_letter_failures(counters.dead_letter_failures);
}

grpc::Status ToGrpc(const absl::Status& status) {
  // The codes of absl are gRPC's own.
  return {static_cast<grpc::StatusCode>(status.raw_code()), std::string(status.message())};
}

}  // namespace sluice::rpc
