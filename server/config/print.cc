#include "config/print.h"

#include <yaml-cpp/yaml.h>

#include "config/environment.h"
#include "config/schema.h"

namespace sluice::config {
namespace {

void Emit(const Json& value, YAML::Emitter& out) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, element] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      Emit(element, out);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const Json& element : value) Emit(element, out);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    out << Escape(value.get<std::string>());
  } else {
    out << value.dump();
  }
}

// Without what is empty and is so by default: it says nothing.
Json WithoutEmpty(const Json& object, const Json& defaults) {
  Json kept = Json::object();
  for (const auto& [key, value] : object.items()) {
    const Json by_default = defaults.value(key, Json());
    if (value.is_object()) {
      Json mapping = WithoutEmpty(value, by_default.is_object() ? by_default : Json::object());
      if (!mapping.empty()) kept[key] = std::move(mapping);
    } else if (value != by_default || (value != "" && value != Json::array())) {
      kept[key] = value;
    }
  }
  return kept;
}

// A secret that stands in a file of its own is not shown beside it: what is printed is a configuration again.
void RemoveReadSecrets(Json& nats) {
  for (const std::string key : {"user", "password", "token"}) {
    if (nats.contains(key + "_file")) nats.erase(key);
  }
}

}  // namespace

Json ToJson(const Config& config) {
  Config defaults;
  defaults.consumers.emplace_back();
  const auto schema = Schema();
  const Json by_default = schema->print(defaults);
  Json json = WithoutEmpty(schema->print(config), by_default);
  RemoveReadSecrets(json["nats"]);
  for (Json& consumer : json["consumers"]) consumer = WithoutEmpty(consumer, by_default["consumers"][0]);
  return json;
}

std::string ToYaml(const Config& config) {
  YAML::Emitter out;
  Emit(ToJson(config), out);
  return std::string(out.c_str()) + "\n";
}

}  // namespace sluice::config
