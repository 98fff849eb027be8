#include "app/flags.h"

#include "absl/strings/str_cat.h"

namespace sluice::app {

CLI::Option* AddDurationFlag(CLI::App* command, const std::string& name, absl::Duration& value, absl::Duration least,
                             absl::Duration most, const std::string& description) {
  const auto parse = [name, &value, least, most](const CLI::results_t& given) {
    absl::Duration parsed;
    if (!absl::ParseDuration(given.front(), &parsed) || parsed < least || parsed > most) {
      throw CLI::ValidationError(
          name, absl::StrCat("'", given.front(), "' is not a duration from ", absl::FormatDuration(least), " to ",
                             absl::FormatDuration(most), "; write 500ms, 30s or 1m30s"));
    }
    value = parsed;
    return true;
  };
  return command->add_option(name, parse, description)->type_name("DURATION");
}

void AddOutputFlag(CLI::App* command, bool& json) {
  command
      ->add_option_function<std::string>(
          "--output", [&json](const std::string& format) { json = format == "json"; }, "table for people, or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->default_str("table");
}

}  // namespace sluice::app
