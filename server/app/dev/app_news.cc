#include "app/dev/app_news.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace sluice::dev {
namespace {

using nlohmann::json;

// Each struct's fields, named once, for both directions.
template <typename Counts, typename Visit>
void VisitCounts(Counts& c, Visit visit) {
  visit("delivered", c.delivered);
  visit("redelivered", c.redelivered);
  visit("handled", c.handled);
  visit("acked", c.acked);
  visit("duplicates", c.duplicates);
  visit("foreign", c.foreign);
  visit("in_flight", c.in_flight);
}

template <typename Report, typename Visit>
void VisitReport(Report& r, Visit visit) {
  visit("completed", r.completed);
  visit("deadline_exceeded", r.deadline_exceeded);
  visit("awaited", r.awaited);
  visit("acked", r.acked);
  visit("terminated", r.terminated);
  visit("naked", r.naked);
  visit("expired", r.expired);
  visit("late", r.late);
  visit("released", r.released);
  visit("unsettled", r.unsettled);
}

struct ToJson {
  json operator()(const AppCounts& counts) const {
    json fields;
    VisitCounts(counts, [&](const char* name, const auto& value) { fields[name] = value; });
    return {{"counts", fields}};
  }
  json operator()(const AppState& state) const {
    return {{"state", {{"state", state.state}, {"detail", state.detail}}}};
  }
  json operator()(const AppError& error) const { return {{"error", {{"what", error.what}}}}; }
  json operator()(const DrainReport& report) const {
    json fields;
    VisitReport(report, [&](const char* name, const auto& value) { fields[name] = value; });
    json phases = json::array();
    for (const auto& [phase, took] : report.phases) phases.push_back({phase, took.count()});
    fields["phases_us"] = phases;
    return {{"drained", fields}};
  }
};

AppNews FromJson(const std::string& kind, const json& fields) {
  const auto read = [&](const char* name, auto& value) { fields.at(name).get_to(value); };
  if (kind == "counts") {
    AppCounts counts;
    VisitCounts(counts, read);
    return counts;
  }
  if (kind == "state") return AppState{fields.at("state"), fields.at("detail")};
  if (kind == "error") return AppError{fields.at("what")};
  if (kind != "drained") throw std::invalid_argument(absl::StrCat("unknown kind '", kind, "'"));
  DrainReport report;
  VisitReport(report, read);
  for (const json& phase : fields.at("phases_us")) {
    report.phases.emplace_back(phase.at(0), std::chrono::microseconds(phase.at(1).get<int64_t>()));
  }
  return report;
}

}  // namespace

std::string ToLine(const AppNews& news) {
  return std::visit(ToJson(), news).dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<AppNews> ParseLine(absl::string_view line) try {
  const json parsed = json::parse(line.begin(), line.end());
  if (!parsed.is_object() || parsed.size() != 1) throw std::invalid_argument("not one kind of news");
  return FromJson(parsed.begin().key(), parsed.begin().value());
} catch (const std::exception& e) {
  return absl::InvalidArgumentError(absl::StrCat("not news of the demo app: ", e.what()));
}

}  // namespace sluice::dev
