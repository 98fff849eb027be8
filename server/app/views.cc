#include "app/views.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/table.h"
#include "google/protobuf/util/json_util.h"

namespace sluice::app {
namespace {

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

// "KIND_NATS_DOWN" -> "NATS_DOWN".
std::string StateName(const v1::State& state) {
  const std::string name = v1::State::Kind_Name(state.kind());
  return name.substr(std::min(name.size(), sizeof("KIND_") - 1));
}

std::string NatsLine(const v1::Nats& nats) {
  if (!nats.connected()) {
    return absl::StrCat("not connected", nats.last_error().empty() ? "" : ": ", nats.last_error());
  }
  const std::string version =
      nats.server_version().empty() ? "" : absl::StrCat(", nats-server ", nats.server_version());
  return absl::StrCat("connected to ", nats.url(), version, ", ", nats.reconnects(), " reconnects");
}

const v1::Consumer* Find(const v1::Status& status, const std::string& name) {
  for (const v1::Consumer& consumer : status.consumers()) {
    if (consumer.name() == name) return &consumer;
  }
  return nullptr;
}

std::string Rate(uint64_t now, uint64_t before, absl::Duration apart) {
  const double seconds = absl::ToDoubleSeconds(apart);
  if (seconds <= 0 || now < before) return "-";
  const double rate = (now - before) / seconds;
  return rate < 10 ? absl::StrFormat("%.1f", rate) : WithCommas(static_cast<uint64_t>(rate));
}

std::string ConsumerTable(const v1::Status& status, const v1::Status* before, absl::Duration apart) {
  Table table({"CONSUMER", "STREAM", "STATE", "PHASE", "STREAMS", "IN FLIGHT", "BUFFERED", "PENDING", "DELIVERED",
               "ACKED", "NAKED", "TERM", "DEAD", "REDELIVERED", "ACKED/S"});
  for (const v1::Consumer& consumer : status.consumers()) {
    const v1::ConsumerCounts& counts = consumer.counts();
    const v1::Consumer* earlier = before == nullptr ? nullptr : Find(*before, consumer.name());
    table.AddRow({consumer.name(), consumer.stream(), StateName(consumer.state()), consumer.phase(),
                  WithCommas(counts.streams()), WithCommas(counts.in_flight()), WithCommas(counts.buffered()),
                  WithCommas(counts.num_pending()), WithCommas(counts.delivered()), WithCommas(counts.acked()),
                  WithCommas(counts.naked()), WithCommas(counts.terminated()), WithCommas(counts.dead_lettered()),
                  WithCommas(counts.redelivered()),
                  Rate(counts.acked(), earlier == nullptr ? 0 : earlier->counts().acked(), apart)});
  }
  return table.ToString();
}

}  // namespace

std::string StatusView(const v1::Status& status, absl::Time now, const v1::Status* before, absl::Duration apart) {
  const absl::Duration up = now - ToTime(status.started());
  std::string text = absl::StrFormat("sluice %s, %s, up %s\n", status.version(), status.phase(), ForPeople(up));
  absl::StrAppend(&text, "NATS: ", NatsLine(status.nats()), "\n");
  if (status.has_drain_deadline()) {
    absl::StrAppend(&text, "Drain: deadline in ", ForPeople(ToTime(status.drain_deadline()) - now), "\n");
  }
  absl::StrAppend(&text, "\n", ConsumerTable(status, before, before == nullptr ? up : apart));
  for (const v1::Consumer& consumer : status.consumers()) {
    if (consumer.state().detail().empty()) continue;
    absl::StrAppend(&text, "\n", consumer.name(), ": ", consumer.state().detail(), "\n");
  }
  return text;
}

std::string DrainView(const v1::WaitDrainedResponse& response) {
  const v1::DrainReport& report = response.report();
  Table phases({"PHASE", "TOOK"});
  absl::Duration total;
  for (const v1::PhaseDuration& phase : report.phases()) {
    phases.AddRow({phase.phase(), ForPeople(ToDuration(phase.duration()))});
    total += ToDuration(phase.duration());
  }
  phases.AddRow({"total", ForPeople(total)});

  Table consumers(
      {"CONSUMER", "AWAITED", "ACKED", "TERM", "NAKED", "EXPIRED", "LATE", "RELEASED", "DEAD", "UNSETTLED"});
  const auto add = [&consumers](const std::string& name, const v1::DrainReport& r) {
    consumers.AddRow({name, WithCommas(r.awaited()), WithCommas(r.acked()), WithCommas(r.terminated()),
                      WithCommas(r.naked()), WithCommas(r.expired()), WithCommas(r.late()), WithCommas(r.released()),
                      WithCommas(r.dead_lettered()), WithCommas(r.unsettled())});
  };
  for (const v1::ConsumerDrainReport& consumer : response.consumers()) add(consumer.consumer(), consumer.report());
  if (response.consumers_size() > 1) add("total", report);

  std::string text = absl::StrCat(phases.ToString(), "\n", consumers.ToString());
  if (report.deadline_exceeded())
    absl::StrAppend(&text, "\nApps still held messages at the deadline; those were NAKed.\n");
  if (report.unsettled() > 0) {
    absl::StrAppend(&text, "\nWhat is unsettled waits for its ack wait; the daemon's log names it.\n");
  }
  return text;
}

std::string JsonView(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  // Strings of these messages are UTF-8, as they have been parsed.
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  if (one_line) text += "\n";
  return text;
}

}  // namespace sluice::app
