#include "config/load.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config/check.h"
#include "config/reader.h"
#include "config/schema.h"

namespace sluice::config {
namespace {

constexpr size_t kMostBytes = 1 << 20;  // of a file; a thousand consumers take a quarter of it

Loaded Failed(Problem problem) { return {Config(), {std::move(problem)}, Places()}; }

// Notes where a document starts, and ignores what is in it.
class DocumentStart final : public YAML::EventHandler {
 public:
  const YAML::Mark& mark() const { return mark_; }

  void OnDocumentStart(const YAML::Mark& mark) override { mark_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark mark_ = YAML::Mark::null_mark();
};

// Where a second document starts. YAML::LoadAll would tell too, but it does not end where yaml-cpp 0.7 takes a stray
// bracket or colon for document after document.
std::optional<YAML::Mark> FindSecondDocument(const std::string& yaml) {
  std::istringstream stream(yaml);
  YAML::Parser parser(stream);
  DocumentStart start;
  if (!parser.HandleNextDocument(start) || !parser.HandleNextDocument(start)) return std::nullopt;
  return start.mark();
}

// The tree of the one document that `yaml` should be.
YAML::Node ParseTree(const std::string& yaml, const std::string& file, std::vector<Problem>& problems) {
  const auto fail = [&](const YAML::Mark& mark, absl::string_view text) {
    const bool has_place = !mark.is_null();
    problems.push_back({file, has_place ? mark.line + 1 : 1, has_place ? mark.column + 1 : 1, std::string(text)});
    return YAML::Node();
  };
  try {
    if (const std::optional<YAML::Mark> second = FindSecondDocument(yaml)) {
      return fail(*second,
                  "the document ends here, but the file goes on; keep one document, and close each bracket once");
    }
    const YAML::Node root = YAML::Load(yaml);
    if (!root.IsNull()) return root;
    return fail(YAML::Mark::null_mark(),
                "the file is empty; start with a list 'consumers:', see docs/configuration.md");
  } catch (const YAML::Exception& error) {
    return fail(error.mark,
                absl::StrCat("not YAML: ", error.msg, "; check indentation, brackets and quotes before it"));
  }
}

// Puts a value in its place, unless the tree has something other than a mapping on the way: the reader complains about
// that.
void Apply(const Override& override, YAML::Node tree) {
  const std::vector<std::string> keys = absl::StrSplit(override.key, '.');
  for (const std::string& key : keys) {
    if (tree.IsDefined() && !tree.IsMap() && !tree.IsNull()) return;
    tree.reset(tree[key]);
  }
  tree = Escape(override.value);
}

// A secret in a file of its own, as Kubernetes mounts it; the line break that editors add is none of it.
void ReadSecret(const std::string& path, const char* key, std::string& secret, Reader& reader) {
  if (path.empty()) return;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  secret = std::string(absl::StripTrailingAsciiWhitespace(content.str()));
  if (file.is_open() && secret.empty()) reader.ComplainAt(key, "the file is empty; write the secret into it");
}

void ReadSecrets(Nats& nats, Reader& reader) {
  ReadSecret(nats.user_file, "nats.user_file", nats.user, reader);
  ReadSecret(nats.password_file, "nats.password_file", nats.password, reader);
  ReadSecret(nats.token_file, "nats.token_file", nats.token, reader);
}

// What follows from other keys.
void FillIn(Config& config) {
  for (Consumer& consumer : config.consumers) {
    if (consumer.options.durable.empty()) consumer.options.durable = consumer.options.name;
    if (consumer.options.pull_heartbeat == absl::ZeroDuration()) {
      consumer.options.pull_heartbeat = consumer.options.pull_expires / 2;
    }
    consumer.options.drain_timeout = config.drain.timeout;
    consumer.options.ack_all = consumer.config.ack_policy == "all";
    if (consumer.options.ordering == core::Ordering::kExclusive) {
      consumer.config.priority_groups = {consumer.options.priority_group};
      consumer.config.priority_policy = "pinned_client";
      consumer.config.priority_timeout = consumer.options.priority_timeout;
    }
  }
}

}  // namespace

Loaded Parse(absl::string_view yaml, const std::string& file, absl::Span<const Override> overrides,
             const Environment& environment) {
  Loaded loaded;
  if (yaml.size() > kMostBytes) return Failed({file, 0, 0, "larger than 1 MiB; this cannot be a configuration"});
  const YAML::Node tree = ParseTree(std::string(yaml), file, loaded.problems);
  if (!loaded.ok()) return loaded;

  std::map<std::string, std::string> origins;
  for (const Override& override : overrides) {
    Apply(override, tree);
    origins[override.key] = override.origin;
  }
  const auto schema = Schema();
  Reader reader(file, std::move(origins), schema->keys, &environment);
  schema->read(reader, tree, loaded.config);
  FillIn(loaded.config);
  Check(loaded.config, reader);
  ReadSecrets(loaded.config.nats, reader);
  loaded.problems = reader.TakeProblems();
  loaded.places = reader.TakePlaces();
  return loaded;
}

Loaded Load(const std::string& file, absl::Span<const Override> overrides, const Environment& environment) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  stream.read(text.data(), text.size());
  if (!stream.is_open() || stream.bad()) {
    const std::string reason = errno != 0 ? std::strerror(errno) : "it is not a file";
    return Failed(
        {file, 0, 0, absl::StrCat("cannot be read: ", reason, "; give the file with --config or SLUICE_CONFIG")});
  }
  text.resize(stream.gcount());
  return Parse(text, file, overrides, environment);
}

}  // namespace sluice::config
