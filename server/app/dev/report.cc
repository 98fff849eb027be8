#include "app/dev/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/dev/screen.h"
#include "app/table.h"
#include "nlohmann/json.hpp"

namespace sluice::dev {
namespace {

using nlohmann::json;

constexpr size_t kTimelineWidth = 40;  // characters

// Where a phase lies between the beginning and the end of the drain.
std::string TimelineRow(const std::string& name, absl::Duration begin, absl::Duration took, absl::Duration total) {
  const double whole = std::max(1e-9, absl::ToDoubleSeconds(total));
  const auto offset = static_cast<size_t>(absl::ToDoubleSeconds(begin) / whole * kTimelineWidth);
  std::string bar = Bar(absl::ToDoubleSeconds(took) / whole, kTimelineWidth);
  if (bar.empty()) bar = "▏";
  return absl::StrFormat("  %-12s %10s  %s%s\n", name, Milliseconds(took),
                         std::string(std::min(offset, kTimelineWidth - 1), ' '), bar);
}

std::string Messages(uint64_t count) {
  return absl::StrCat(app::WithCommas(count), count == 1 ? " message" : " messages");
}

// "3 messages were with the app: 3 acked"
std::string AwaitedText(const DrainReport& drain) {
  std::string text = absl::StrCat("  ", Messages(drain.awaited), " were with the app");
  std::vector<std::string> became;
  for (const auto& [count, what] : {std::pair(drain.acked, "acked"), std::pair(drain.terminated, "terminated"),
                                    std::pair(drain.naked, "given back"), std::pair(drain.expired, "expired")}) {
    if (count > 0) became.push_back(absl::StrCat(app::WithCommas(count), " ", what));
  }
  if (!became.empty()) absl::StrAppend(&text, ": ", absl::StrJoin(became, ", "));
  return text + "\n";
}

std::string Row(absl::string_view name, uint64_t count, absl::string_view note = "") {
  return absl::StrFormat("  %-14s %14s%s%s\n", name, app::WithCommas(count), note.empty() ? "" : "  ", note);
}

double ToMs(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

}  // namespace

std::string DrainText(const DrainReport& drain, absl::Duration total) {
  std::string text = absl::StrCat("Drained in ", Milliseconds(total), ", from SIGTERM to the end of the process\n\n");
  absl::Duration begin = absl::ZeroDuration();
  for (const auto& [phase, microseconds] : drain.phases) {
    const absl::Duration took = absl::FromChrono(microseconds);
    absl::StrAppend(&text, TimelineRow(phase, begin, took, total));
    begin += took;
  }
  if (begin < total) absl::StrAppend(&text, TimelineRow("exit", begin, total - begin, total));
  absl::StrAppend(&text, "\n", AwaitedText(drain), "  ", Messages(drain.released),
                  " no app had seen: given back at once, for the next pod\n");
  return text;
}

std::string OutcomeText(const Outcome& outcome, const std::vector<absl::Duration>& restarts) {
  std::string text;
  if (!restarts.empty()) {
    absl::StrAppend(&text, "Restarted ", restarts.size(), restarts.size() == 1 ? " time" : " times",
                    " under load, drained in at most ",
                    Milliseconds(*std::max_element(restarts.begin(), restarts.end())), "\n\n");
  }
  absl::StrAppend(&text, Row("published", outcome.published), Row("acked", outcome.acked),
                  Row("pending", outcome.pending, "in the stream, for the next pod"),
                  Row("redelivered", outcome.redelivered, "not on their first delivery"),
                  Row("lost", outcome.lost, "stored, and neither acked nor pending"),
                  Row("duplicates", outcome.duplicates, "handled twice"));
  return text;
}

std::string ReportJson(const Outcome& outcome, const DrainReport& drain, const std::vector<absl::Duration>& restarts) {
  json phases = json::object();
  for (const auto& [phase, took] : drain.phases) phases[phase] = ToMs(absl::FromChrono(took));
  json restart_ms = json::array();
  for (const absl::Duration took : restarts) restart_ms.push_back(ToMs(took));
  const json report = {{"clean", outcome.clean()},
                       {"faults", outcome.faults},
                       {"published", outcome.published},
                       {"acked", outcome.acked},
                       {"pending", outcome.pending},
                       {"redelivered", outcome.redelivered},
                       {"lost", outcome.lost},
                       {"duplicates", outcome.duplicates},
                       {"drain_ms", outcome.drain_ms},
                       {"drain",
                        {{"awaited", drain.awaited},
                         {"acked", drain.acked},
                         {"terminated", drain.terminated},
                         {"naked", drain.naked},
                         {"expired", drain.expired},
                         {"late", drain.late},
                         {"released", drain.released},
                         {"unsettled", drain.unsettled},
                         {"deadline_exceeded", drain.deadline_exceeded},
                         {"phases_ms", phases}}},
                       {"restart_drain_ms", restart_ms}};
  return report.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace sluice::dev
