#include "admin/metrics.h"

#include <limits>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "admin/process_stats.h"
#include "prometheus/text_serializer.h"

namespace sluice::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// --- one row a metric: its name, its meaning, and where its value comes from ---

// Of the whole process; no labels.
struct ProcessMetric {
  const char* name;
  MetricType type;
  const char* help;
  double (*value)(const Measured& measured);
};

constexpr ProcessMetric kProcessMetrics[] = {
    {"sluice_nats_connected", MetricType::Gauge, "Whether the daemon is connected to NATS: 1 or 0.",
     [](const Measured& m) { return m.loop.nats.connected ? 1.0 : 0.0; }},
    {"sluice_nats_reconnects_total", MetricType::Counter, "How often the connection to NATS came back.",
     [](const Measured& m) { return static_cast<double>(m.loop.nats.reconnects); }},
    {"sluice_draining", MetricType::Gauge, "Whether the daemon drains or has drained, and takes nothing new: 1 or 0.",
     [](const Measured& m) { return m.loop.phase == core::Daemon::Phase::kServing ? 0.0 : 1.0; }},
    {"sluice_alive", MetricType::Gauge, "What /livez says: 1, or 0 if the event loop or the gRPC listener is stuck.",
     [](const Measured& m) { return m.alive ? 1.0 : 0.0; }},
    {"sluice_event_loop_lag_seconds", MetricType::Gauge,
     "How long the event loop took to answer the watchdog last, in seconds.",
     [](const Measured& m) { return absl::ToDoubleSeconds(m.loop_lag); }},
    {"sluice_config_last_reload_successful", MetricType::Gauge,
     "Whether the last reload of the configuration was good, or there was none: 1 or 0. With 0 the one before is in "
     "force.",
     [](const Measured& m) { return m.reload.successful ? 1.0 : 0.0; }},
    {"sluice_config_last_reload_success_timestamp_seconds", MetricType::Gauge,
     "Since when the configuration is in force, in seconds of Unix time.",
     [](const Measured& m) { return absl::ToUnixMillis(m.reload.last_success) / 1e3; }},
    {"sluice_config_reloads_total", MetricType::Counter, "Reloads of the configuration that were good.",
     [](const Measured& m) { return static_cast<double>(m.reload.reloads); }},
};

// Of each consumer; labels: stream, consumer.
struct ConsumerMetric {
  const char* name;
  MetricType type;
  const char* help;
  double (*value)(const ConsumerSnapshot& consumer);
};

// A count of core::Counters.
template <uint64_t core::Counters::*count>
double Count(const ConsumerSnapshot& consumer) {
  return static_cast<double>(consumer.counters.*count);
}

template <uint64_t core::Consumer::Gauges::*gauge>
double Gauge(const ConsumerSnapshot& consumer) {
  return static_cast<double>(consumer.gauges.*gauge);
}

template <uint64_t core::DrainReport::*count>
double Reported(const ConsumerSnapshot& consumer) {
  return static_cast<double>(consumer.report.*count);
}

using core::Counters;
using core::DrainReport;
using Gauges = core::Consumer::Gauges;

constexpr ConsumerMetric kConsumerMetrics[] = {
    {"sluice_messages_received_total", MetricType::Counter,
     "Messages that JetStream has delivered to this daemon; each attempt counts.", Count<&Counters::received>},
    {"sluice_messages_redelivered_total", MetricType::Counter,
     "Of those, the ones that JetStream had delivered before, to whomever.", Count<&Counters::redelivered>},
    {"sluice_messages_delivered_total", MetricType::Counter, "Messages that were handed to apps; each attempt counts.",
     Count<&Counters::delivered>},
    {"sluice_messages_acked_total", MetricType::Counter, "Messages that apps acked in time.", Count<&Counters::acked>},
    {"sluice_messages_naked_total", MetricType::Counter, "Messages that apps NAKed in time: attempts that failed.",
     Count<&Counters::naked>},
    {"sluice_messages_terminated_total", MetricType::Counter, "Messages that apps terminated in time.",
     Count<&Counters::terminated>},
    {"sluice_messages_released_total", MetricType::Counter,
     "Messages that the daemon gave back to JetStream without a verdict of an app: in drains, after broken streams, or "
     "for want of an app.",
     Count<&Counters::released>},
    {"sluice_messages_dead_lettered_total", MetricType::Counter, "Messages that were stored as dead letters.",
     Count<&Counters::dead_lettered>},
    {"sluice_dead_letter_failures_total", MetricType::Counter,
     "Attempts to store a dead letter that failed; they are repeated.", Count<&Counters::dead_letter_failures>},
    {"sluice_verdicts_late_total", MetricType::Counter,
     "Verdicts that came after the message's lease had ended, so that it may be handled twice.",
     Count<&Counters::late>},
    {"sluice_verdicts_not_held_total", MetricType::Counter, "Verdicts on messages that their stream did not hold.",
     Count<&Counters::not_held>},
    {"sluice_leases_extended_total", MetricType::Counter,
     "In-progress signals that the daemon sent to JetStream while messages were here.",
     Count<&Counters::leases_extended>},
    {"sluice_leases_ended_total", MetricType::Counter,
     "Messages whose lease ended without a verdict: JetStream delivers them again.", Count<&Counters::leases_ended>},
    {"sluice_pulls_total", MetricType::Counter, "Pull requests sent to JetStream.", Count<&Counters::pulls>},
    {"sluice_in_flight_messages", MetricType::Gauge, "Messages that are with apps.", Gauge<&Gauges::in_flight>},
    {"sluice_buffered_messages", MetricType::Gauge, "Messages that were received and are not with an app yet.",
     Gauge<&Gauges::buffered>},
    {"sluice_app_streams", MetricType::Gauge, "Open streams of apps; calls of Fetch are not counted.",
     Gauge<&Gauges::streams>},
    {"sluice_consumer_pending", MetricType::Gauge,
     "Messages of the durable that JetStream has not delivered to any pod, as of the last delivery here, else at most "
     "30 s old. The same number in every pod: take max by (stream, consumer), never sum.",
     Gauge<&Gauges::num_pending>},
    {"sluice_consumer_ack_pending", MetricType::Gauge,
     "Messages of the durable that are with any pod and wait for a verdict, at most 30 s old. The same number in every "
     "pod: take max by (stream, consumer), never sum.",
     Gauge<&Gauges::num_ack_pending>},
    {"sluice_drain_state", MetricType::Gauge,
     "Where the drain stands: 0 SERVING, 1 QUIESCING, 2 FENCING, 3 RELEASING, 4 SETTLING, 5 CONFIRMING, 6 CLOSED.",
     [](const ConsumerSnapshot& c) { return static_cast<double>(c.phase); }},
    {"sluice_drain_duration_seconds", MetricType::Gauge,
     "How long the drain has taken so far, or took until its end, in seconds; 0 without one.",
     [](const ConsumerSnapshot& c) { return absl::ToDoubleSeconds(c.drain_elapsed); }},
    {"sluice_drain_awaited_total", MetricType::Counter,
     "Messages with apps whose verdict the drain waits or waited for.", Reported<&DrainReport::awaited>},
    {"sluice_drain_released_total", MetricType::Counter,
     "Messages that no app had seen, given back to JetStream by the drain.", Reported<&DrainReport::released>},
    {"sluice_drain_naked_total", MetricType::Counter,
     "Messages that were NAKed in the drain: by their apps, or for them at the deadline.",
     Reported<&DrainReport::naked>},
    {"sluice_drain_unsettled_total", MetricType::Counter,
     "Messages that the drain could neither settle nor give back: named in the log, and exit code 75.",
     Reported<&DrainReport::unsettled>},
};

// Of each consumer, in seconds; labels: stream, consumer, le.
struct HistogramMetric {
  const char* name;
  const char* help;
  core::Histogram ConsumerSnapshot::*histogram;
};

constexpr HistogramMetric kHistogramMetrics[] = {
    {"sluice_process_duration_seconds",
     "From handing a message to an app until the app's verdict, in seconds: waiting in the app included.",
     &ConsumerSnapshot::process_duration},
    {"sluice_ack_duration_seconds",
     "From sending a verdict to JetStream until its confirmation, in seconds. Of every verdict with "
     "confirm_settlements, else of one in 256.",
     &ConsumerSnapshot::ack_duration},
};

constexpr char kStateName[] = "sluice_consumer_state";
constexpr char kStateHelp[] =
    "1 for the state that the consumer is in, 0 for the others; label state, as in docs/operations.md.";
constexpr core::ConsumerState kStates[] = {core::ConsumerState::kServing,         core::ConsumerState::kNatsDown,
                                           core::ConsumerState::kConsumerMissing, core::ConsumerState::kPaused,
                                           core::ConsumerState::kConsumerInvalid, core::ConsumerState::kPinnedElsewhere,
                                           core::ConsumerState::kProbing};

constexpr char kBuildInfoName[] = "sluice_build_info";
constexpr char kBuildInfoHelp[] = "1; label version is the daemon's.";

// Of the process as Linux sees it, with Prometheus' own names.
struct StatMetric {
  const char* name;
  MetricType type;
  const char* help;
  double ProcessStats::*value;
};

constexpr StatMetric kStatMetrics[] = {
    {"process_cpu_seconds_total", MetricType::Counter, "CPU time of the process, in seconds.",
     &ProcessStats::cpu_seconds},
    {"process_start_time_seconds", MetricType::Gauge, "When the process started, in seconds of Unix time.",
     &ProcessStats::start_time_seconds},
    {"process_resident_memory_bytes", MetricType::Gauge, "Memory of the process, in bytes.",
     &ProcessStats::resident_bytes},
    {"process_open_fds", MetricType::Gauge, "Open file descriptors; at process_max_fds no app can connect.",
     &ProcessStats::open_fds},
    {"process_max_fds", MetricType::Gauge, "Most open file descriptors (RLIMIT_NOFILE).", &ProcessStats::max_fds},
};

// --- translation ---

using Labels = std::vector<ClientMetric::Label>;

Labels LabelsOf(const ConsumerSnapshot& consumer) { return {{"stream", consumer.stream}, {"consumer", consumer.name}}; }

ClientMetric Value(MetricType type, double value, Labels labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

ClientMetric HistogramValue(const core::Histogram& histogram, Labels labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  uint64_t count = 0;
  for (size_t i = 0; i <= core::Histogram::kBounds.size(); ++i) {
    count += histogram.count(i);
    const bool is_last = i == core::Histogram::kBounds.size();
    const double bound =
        is_last ? std::numeric_limits<double>::infinity() : absl::ToDoubleSeconds(core::Histogram::kBounds[i]);
    metric.histogram.bucket.push_back({count, bound});
  }
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = absl::ToDoubleSeconds(histogram.sum());
  return metric;
}

MetricFamily BuildInfo(const Measured& measured) {
  return {kBuildInfoName,
          kBuildInfoHelp,
          MetricType::Gauge,
          {Value(MetricType::Gauge, 1, {{"version", measured.version}})}};
}

MetricFamily States(const Measured& measured) {
  MetricFamily family = {kStateName, kStateHelp, MetricType::Gauge, {}};
  for (const ConsumerSnapshot& consumer : measured.loop.consumers) {
    for (const core::ConsumerState state : kStates) {
      Labels labels = LabelsOf(consumer);
      labels.push_back({"state", std::string(core::ConsumerStateName(state))});
      family.metric.push_back(Value(MetricType::Gauge, consumer.state == state ? 1 : 0, std::move(labels)));
    }
  }
  return family;
}

// --- the page ---

constexpr char kPageHead[] =
    R"(<!-- Written by `sluice metrics-doc`, from server/admin/metrics.cc; a test compares the two. -->
# Metrics

`GET /metrics` on [`admin.listen`](configuration.md#admin-probes-and-metrics), in Prometheus' text format. A scrape
copies what the event loop knows, which takes microseconds; while the loop is stuck it is answered with 503.

- Every metric of a consumer has the labels `stream` and `consumer` (the `name` in the configuration); never a subject,
  so that the number of series is known: some 60 for each consumer.
- Counters start at 0 with the process. Durations are in seconds, sizes in bytes.
- What JetStream knows of a durable is the same in every pod: `max by (stream, consumer)`, never `sum`.
- Which of them deserve an alert: [operations.md](operations.md#alerts).

)";

void AppendTable(std::string* page, absl::string_view title, const std::vector<std::string>& rows) {
  absl::StrAppend(page, "## ", title, "\n\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
  for (const std::string& row : rows) absl::StrAppend(page, row, "\n");
}

std::string Row(absl::string_view name, MetricType type, absl::string_view labels, absl::string_view help) {
  const char* const type_name = type == MetricType::Counter     ? "counter"
                                : type == MetricType::Histogram ? "histogram"
                                                                : "gauge";
  return absl::StrCat("| `", name, "` | ", type_name, " | ", labels, " | ", help, " |");
}

}  // namespace

std::vector<MetricFamily> Collect(const Measured& measured) {
  std::vector<MetricFamily> families;
  for (const ConsumerMetric& row : kConsumerMetrics) {
    MetricFamily family = {row.name, row.help, row.type, {}};
    for (const ConsumerSnapshot& consumer : measured.loop.consumers) {
      family.metric.push_back(Value(row.type, row.value(consumer), LabelsOf(consumer)));
    }
    families.push_back(std::move(family));
  }
  families.push_back(States(measured));
  for (const HistogramMetric& row : kHistogramMetrics) {
    MetricFamily family = {row.name, row.help, MetricType::Histogram, {}};
    for (const ConsumerSnapshot& consumer : measured.loop.consumers) {
      family.metric.push_back(HistogramValue(consumer.*row.histogram, LabelsOf(consumer)));
    }
    families.push_back(std::move(family));
  }
  for (const ProcessMetric& row : kProcessMetrics) {
    families.push_back({row.name, row.help, row.type, {Value(row.type, row.value(measured))}});
  }
  families.push_back(BuildInfo(measured));
  const ProcessStats stats = ReadProcessStats();
  for (const StatMetric& row : kStatMetrics) {
    families.push_back({row.name, row.help, row.type, {Value(row.type, stats.*row.value)}});
  }
  return families;
}

std::string Serialize(const std::vector<MetricFamily>& families) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

std::string MetricsPage() {
  std::string page = kPageHead;
  std::vector<std::string> rows;
  for (const ConsumerMetric& row : kConsumerMetrics) {
    rows.push_back(Row(row.name, row.type, "`stream`, `consumer`", row.help));
  }
  rows.push_back(Row(kStateName, MetricType::Gauge, "`stream`, `consumer`, `state`", kStateHelp));
  for (const HistogramMetric& row : kHistogramMetrics) {
    rows.push_back(Row(row.name, MetricType::Histogram, "`stream`, `consumer`", row.help));
  }
  AppendTable(&page, "Of each consumer", rows);

  absl::StrAppend(&page, "\nUpper bounds of the histograms, in seconds:");
  for (const absl::Duration bound : core::Histogram::kBounds) {
    absl::StrAppend(&page, " ", absl::ToDoubleSeconds(bound));
  }
  absl::StrAppend(&page, ".\n\n");

  rows.clear();
  for (const ProcessMetric& row : kProcessMetrics) rows.push_back(Row(row.name, row.type, "", row.help));
  rows.push_back(Row(kBuildInfoName, MetricType::Gauge, "`version`", kBuildInfoHelp));
  for (const StatMetric& row : kStatMetrics) rows.push_back(Row(row.name, row.type, "", row.help));
  AppendTable(&page, "Of the daemon", rows);
  return page;
}

}  // namespace sluice::admin
