#include "config/kind.h"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/nearest.h"

namespace sluice::config {
namespace {

constexpr size_t kLongestName = 255;                                      // nats-server's JSMaxNameLen
constexpr size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;  // 107, and a NUL
constexpr size_t kLongestText = 4096;
constexpr absl::string_view kHidden = "***";

template <typename... Parts>
absl::Status Wrong(absl::string_view text, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(Quoted(text), parts...));
}

Json PrintText(const std::string& text) { return text; }

// Texts that are kept as they are written, if `check` likes them.
Kind<std::string> CheckedText(std::string type, std::string limit,
                              std::function<absl::Status(absl::string_view)> check) {
  auto parse = [check = std::move(check)](absl::string_view text) -> absl::StatusOr<std::string> {
    if (absl::Status status = check(text); !status.ok()) return status;
    return std::string(text);
  };
  return ScalarKind<std::string>(std::move(type), std::move(limit), std::move(parse), PrintText);
}

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

absl::Status CheckName(absl::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("a name cannot be empty; give one");
  if (text.size() > kLongestName) return Wrong(text, " is too long; use at most ", kLongestName, " bytes");
  const bool good = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > ' ' && c != 0x7f && absl::string_view(".*>/\\").find(c) == absl::string_view::npos;
  });
  if (good) return absl::OkStatus();
  return Wrong(text, " is not a name for JetStream; leave out dots, spaces, slashes, '*' and '>'");
}

absl::Status CheckSubject(absl::string_view text, bool wildcards) {
  if (text.empty()) return absl::InvalidArgumentError("a subject cannot be empty; write one such as orders.>");
  if (HasControlCharacter(text) || text.find(' ') != absl::string_view::npos) {
    return Wrong(text, " is not a subject: it has a space or control character; remove it");
  }
  const std::vector<absl::string_view> tokens = absl::StrSplit(text, '.');
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) return Wrong(text, " is not a subject: it has an empty token; remove the extra dot");
    if (!wildcards && (tokens[i] == "*" || tokens[i] == ">")) {
      return Wrong(text, " must not have wildcards; write the token out");
    }
    if (tokens[i] == ">" && i + 1 < tokens.size()) {
      return Wrong(text, " is not a subject: '>' must come last; use '*' for one token");
    }
  }
  return absl::OkStatus();
}

// host:port, with brackets around an IPv6 address. `least` is the lowest port allowed.
bool IsHostAndPort(absl::string_view text, bool port_required, int least) {
  const size_t colon = text.rfind(':');
  const bool has_port = colon != absl::string_view::npos && text.find(']', colon) == absl::string_view::npos;
  absl::string_view host = text.substr(0, has_port ? colon : text.size());
  if (has_port ? host.empty() : port_required) return false;
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return false;
  } else if (host.find(':') != absl::string_view::npos) {
    return false;
  }
  const bool host_is_good = !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  });
  if (!host_is_good || !has_port) return host_is_good;
  int port = 0;
  return absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= least && port <= 65535;
}

// What a URL may show: "nats://user:***@host", "nats://***@host".
std::string HideCredentials(absl::string_view url) {
  const size_t scheme = url.find("://");
  const size_t begin = scheme == absl::string_view::npos ? 0 : scheme + 3;
  const size_t at = url.rfind('@');
  if (at == absl::string_view::npos || at < begin) return std::string(url);
  const absl::string_view login = url.substr(begin, at - begin);
  const size_t colon = login.find(':');
  const absl::string_view user = colon == absl::string_view::npos ? "" : login.substr(0, colon + 1);
  return absl::StrCat(url.substr(0, begin), user, kHidden, url.substr(at));
}

absl::Status CheckServerUrl(absl::string_view url) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "nats://") && !absl::ConsumePrefix(&rest, "tls://")) {
    return Wrong(HideCredentials(url),
                 " is not the address of a nats-server; write nats://host:port or tls://host:port");
  }
  const size_t at = rest.rfind('@');
  if (at != absl::string_view::npos) rest.remove_prefix(at + 1);
  if (IsHostAndPort(rest, /*port_required=*/false, 1)) return absl::OkStatus();
  return Wrong(HideCredentials(url), " does not name a host and a port from 1 to 65535; write nats://host:port");
}

absl::Status CheckReadable(absl::string_view path) {
  if (path.empty()) return absl::OkStatus();
  errno = 0;
  std::ifstream file{std::string(path)};
  // A directory opens, but does not read.
  if (file.is_open() && (file.peek(), !file.bad())) return absl::OkStatus();
  const char* reason = errno != 0 ? std::strerror(errno) : "not a file";
  return Wrong(path, " cannot be read: ", reason, "; check the path, the mount and its permissions");
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text, absl::Duration least, absl::Duration most) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || text == "0") {
    return Wrong(text, " is not a duration; write a number and a unit, such as 500ms, 30s, 1m30s or 2h");
  }
  if (duration < least || duration > most) {
    return Wrong(text, " is out of range; use ", absl::FormatDuration(least), " to ", absl::FormatDuration(most));
  }
  return duration;
}

std::string Range(const std::string& least, const std::string& most) { return absl::StrCat(least, " to ", most); }

}  // namespace

Kind<bool> Boolean() {
  auto parse = [](absl::string_view text) -> absl::StatusOr<bool> {
    if (text == "true") return true;
    if (text == "false") return false;
    return Wrong(text, " is neither true nor false; write one of them");
  };
  return ScalarKind<bool>("boolean", "", parse, [](const bool& value) -> Json { return value; });
}

Kind<std::string> Text(size_t most) {
  return CheckedText("text", absl::StrCat("at most ", most, " bytes"), [most](absl::string_view text) -> absl::Status {
    if (text.size() > most) return Wrong(text, " is ", text.size(), " bytes long; use at most ", most);
    if (HasControlCharacter(text)) return Wrong(text, " has a control character; remove it");
    return absl::OkStatus();
  });
}

Kind<std::string> Secret() {
  auto parse = [](absl::string_view text) -> absl::StatusOr<std::string> {
    if (text.size() <= kLongestText && !HasControlCharacter(text)) return std::string(text);
    // The value must not be shown.
    return absl::InvalidArgumentError(absl::StrCat("the secret has a line break or control character, or more than ",
                                                   kLongestText, " bytes; check where it comes from"));
  };
  return ScalarKind<std::string>("secret", "", parse, [](const std::string& secret) -> Json {
    return secret.empty() ? "" : std::string(kHidden);
  });
}

Kind<std::string> NatsName() {
  return CheckedText("name", absl::StrCat("1 to ", kLongestName, " bytes, no dots, spaces, slashes, `*`, `>`"),
                     CheckName);
}

Kind<std::string> Subject() {
  return CheckedText("subject", "", [](absl::string_view text) { return CheckSubject(text, /*wildcards=*/true); });
}

Kind<std::string> SubjectPrefix() {
  return CheckedText("subject", "no wildcards",
                     [](absl::string_view text) { return CheckSubject(text, /*wildcards=*/false); });
}

Kind<std::string> LiteralSubject() { return SubjectPrefix(); }

Kind<std::string> ServerUrl() {
  Kind<std::string> kind = CheckedText("URL", "`nats://` or `tls://`", CheckServerUrl);
  kind.print = [](const std::string& url) -> Json { return HideCredentials(url); };
  return kind;
}

Kind<std::string> ReadableFile() { return CheckedText("path", "a file that can be read", CheckReadable); }

Kind<std::string> SocketPath() {
  return CheckedText("path", absl::StrCat("at most ", kLongestSocketPath, " bytes"),
                     [](absl::string_view path) -> absl::Status {
                       if (path.size() > kLongestSocketPath) {
                         return Wrong(path, " is ", path.size(), " bytes long, and a socket's path has at most ",
                                      kLongestSocketPath, "; use a shorter one");
                       }
                       if (HasControlCharacter(path)) return Wrong(path, " has a control character; remove it");
                       return absl::OkStatus();
                     });
}

Kind<std::string> TcpAddress() {
  return CheckedText("host:port", "port 0 to 65535", [](absl::string_view address) -> absl::Status {
    if (address.empty() || IsHostAndPort(address, /*port_required=*/true, 0)) return absl::OkStatus();
    return Wrong(address, " is not host:port; write one such as 127.0.0.1:7070 or [::1]:7070");
  });
}

Kind<std::string> Timestamp() {
  return CheckedText("time", "RFC 3339", [](absl::string_view text) -> absl::Status {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return absl::OkStatus();
    return Wrong(text, " is not a time; write one such as 2026-01-31T08:00:00Z");
  });
}

Kind<absl::Duration> DurationIn(absl::Duration least, absl::Duration most) {
  return ScalarKind<absl::Duration>(
      "duration", Range(absl::FormatDuration(least), absl::FormatDuration(most)),
      [least, most](absl::string_view text) { return ParseDuration(text, least, most); },
      [](const absl::Duration& value) -> Json { return absl::FormatDuration(value); });
}

Kind<int64_t> IntegerIn(int64_t least, int64_t most) {
  auto parse = [least, most](absl::string_view text) -> absl::StatusOr<int64_t> {
    int64_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) return Wrong(text, " is not a whole number; use ", least, " to ", most);
    if (value < least || value > most) return Wrong(text, " is out of range; use ", least, " to ", most);
    return value;
  };
  return ScalarKind<int64_t>("integer", Range(absl::StrCat(least), absl::StrCat(most)), parse,
                             [](const int64_t& value) -> Json { return value; });
}

Kind<double> NumberIn(double least, double most) {
  auto parse = [least, most](absl::string_view text) -> absl::StatusOr<double> {
    double value = 0;
    if (!absl::SimpleAtod(text, &value)) return Wrong(text, " is not a number; use ", least, " to ", most);
    // So written, it refuses what is not a number at all, too.
    if (!(value >= least && value <= most)) return Wrong(text, " is out of range; use ", least, " to ", most);
    return value;
  };
  return ScalarKind<double>("number", Range(absl::StrCat(least), absl::StrCat(most)), parse,
                            [](const double& value) -> Json { return value; });
}

Kind<int64_t> Position(int64_t most) {
  auto parse = [most](absl::string_view text) -> absl::StatusOr<int64_t> {
    int64_t value = 0;
    if (absl::SimpleAtoi(text, &value) && value != 0 && value >= -most && value <= most) return value;
    return Wrong(text, " is not a position; use 1 to ", most, ", or -1 to -", most, " from the end");
  };
  return ScalarKind<int64_t>("integer", absl::StrCat("1 to ", most, ", or -1 to -", most, " from the end"), parse,
                             [](const int64_t& value) -> Json { return value; });
}

Kind<std::string> HeaderName() {
  return CheckedText("name", absl::StrCat("1 to ", kLongestName, " bytes, no spaces, colons"),
                     [](absl::string_view text) -> absl::Status {
                       const bool good = !text.empty() && text.size() <= kLongestName && !HasControlCharacter(text) &&
                                         text.find_first_of(": ") == absl::string_view::npos;
                       if (good) return absl::OkStatus();
                       return Wrong(text, " is not the name of a header; use 1 to ", kLongestName,
                                    " bytes, without spaces and colons");
                     });
}

// nats-server's validGroupName.
Kind<std::string> PriorityGroup() {
  static constexpr size_t kLongest = 16;
  return CheckedText(
      "name", absl::StrCat("1 to ", kLongest, " of A-Z, a-z, 0-9, `/`, `_`, `=`, `-`"),
      [](absl::string_view text) -> absl::Status {
        const bool good = !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
          return absl::ascii_isalnum(c) || absl::StrContains("/_=-", c);
        });
        if (good) return absl::OkStatus();
        return Wrong(text, " is not a priority group; use 1 to ", kLongest, " letters, digits, '/', '_', '=' or '-'");
      });
}

Kind<int64_t> CountOrUnlimited() {
  auto parse = [](absl::string_view text) -> absl::StatusOr<int64_t> {
    int64_t value = 0;
    if (absl::SimpleAtoi(text, &value) && (value == -1 || value >= 1)) return value;
    return Wrong(text, " is not a count; use a whole number from 1, or -1 for no limit");
  };
  return ScalarKind<int64_t>("integer", "from 1, or -1: no limit", parse,
                             [](const int64_t& value) -> Json { return value; });
}

absl::StatusOr<size_t> FindWord(const std::vector<std::string>& words, absl::string_view text) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return found - words.begin();
  const std::string meant = base::Nearest(text, words);
  return Wrong(text, " is not one of ", JoinWords(words),
               meant.empty() ? "; write one of them" : absl::StrCat(", did you mean '", meant, "'?"));
}

std::string JoinWords(const std::vector<std::string>& words) { return absl::StrJoin(words, ", "); }

Kind<std::vector<std::string>> CommaList(Kind<std::string> kind, std::string plural) {
  Kind<std::vector<std::string>> list = ListOf(kind, plural);
  list.type = absl::StrCat("list of ", plural, ", or one text with commas");
  list.read = [kind, read = list.read](Reader& reader, const YAML::Node& node, std::vector<std::string>& values) {
    if (!node.IsScalar()) return read(reader, node, values);
    const std::optional<std::string> text = reader.Scalar(node, kind.type);
    if (!text.has_value()) return;
    // Each part is read as an element would be; it is expanded already.
    YAML::Node parts(YAML::NodeType::Sequence);
    for (absl::string_view part : absl::StrSplit(*text, ',')) {
      parts.push_back(Escape(absl::StripAsciiWhitespace(part)));
    }
    read(reader, parts, values);
  };
  return list;
}

Kind<std::map<std::string, std::string>> TextMap(size_t most) {
  using Map = std::map<std::string, std::string>;
  const Kind<std::string> text = Text(most);
  Kind<Map> kind;
  kind.type = "mapping of texts";
  kind.limit = text.limit;
  kind.read = [text](Reader& reader, const YAML::Node& node, Map& map) {
    reader.FreeMapping(node,
                       [&](const std::string& name, const YAML::Node& value) { text.read(reader, value, map[name]); });
  };
  kind.print = [](const Map& map) { return Json(map); };
  return kind;
}

}  // namespace sluice::config
