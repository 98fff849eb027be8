#include "jetstream/pinned_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "jetstream/api_reply.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

constexpr char kPinId[] = "Nats-Pin-Id";

std::string TextAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool HasGroups(const json& current, const core::DurableConfig& wanted) {
  const auto groups = current.find("priority_groups");
  if (groups == current.end() || !groups->is_array()) return false;
  return std::all_of(wanted.priority_groups.begin(), wanted.priority_groups.end(), [&](const std::string& group) {
    return std::find(groups->begin(), groups->end(), json(group)) != groups->end();
  });
}

}  // namespace

void TakePinId(core::Message& message) {
  const auto last = std::find_if(message.headers.rbegin(), message.headers.rend(),
                                 [](const core::Header& header) { return header.name == kPinId; });
  if (last == message.headers.rend()) return;
  message.pin_id = last->value;
  message.headers.erase(std::next(last).base());
}

absl::Status UnpinStatus(const absl::StatusOr<absl::string_view>& answer) {
  if (!answer.ok()) return answer.status();
  const absl::StatusOr<ApiReply> reply = ParseApiReply(*answer);
  if (!reply.ok()) return reply.status();
  if (reply->code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(reply->description, " (code ", reply->code, ")"));
}

absl::Status CheckPinnedClient(const json& current, const core::DurableConfig& wanted, bool written) {
  if (wanted.priority_groups.empty()) return absl::OkStatus();
  const std::string policy = TextAt(current, "priority_policy");
  if (policy == "pinned_client" && HasGroups(current, wanted)) return absl::OkStatus();
  if (written && policy.empty()) {
    return absl::FailedPreconditionError(
        "ordering: exclusive needs a pinned client, which this nats-server does not know; upgrade it to 2.11 or later, "
        "or use ordering: key");
  }
  const std::string groups = absl::StrJoin(wanted.priority_groups, ", ");
  return absl::FailedPreconditionError(absl::StrCat(
      "ordering: exclusive needs priority_policy pinned_client with the priority group ", groups, ", and it has ",
      policy.empty() ? "no priority policy" : absl::StrCat("priority_policy ", policy),
      "; let Sluice set it with manage: ensure, or set it yourself (nats-server 2.11 or later), or use ordering: key"));
}

std::string PinnedClientId(const json& info_reply) {
  const auto groups = info_reply.find("priority_groups");
  if (groups == info_reply.end() || !groups->is_array()) return "";
  for (const json& group : *groups) {
    const std::string id = group.is_object() ? TextAt(group, "pinned_client_id") : "";
    if (!id.empty()) return id;
  }
  return "";
}

}  // namespace sluice::jetstream
