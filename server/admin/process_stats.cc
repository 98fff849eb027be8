#include "admin/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace sluice::admin {
namespace {

// Fields of /proc/self/stat behind the command's name, which may hold anything and ends with the last bracket; see
// proc(5), where the first of these is number 3.
constexpr size_t kFirstField = 3;
constexpr size_t kStartTime = 22;  // in ticks after boot
constexpr size_t kResident = 24;   // in pages

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return {};
  return absl::StrSplit(line.substr(bracket + 1), ' ', absl::SkipEmpty());
}

double Field(const std::vector<std::string>& fields, size_t number) {
  double value = 0;
  if (number - kFirstField < fields.size()) (void)absl::SimpleAtod(fields[number - kFirstField], &value);
  return value;
}

// In seconds of Unix time; 0 if unknown.
double BootTime() {
  std::ifstream file("/proc/stat");
  std::string line;
  double time = 0;
  while (std::getline(file, line)) {
    if (line.compare(0, 6, "btime ") == 0 && absl::SimpleAtod(line.substr(6), &time)) return time;
  }
  return 0;
}

double CountOpenFds() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir("/proc/self/fd"), closedir);
  if (dir == nullptr) return 0;
  double count = -1;  // the one that reads them
  while (const dirent* entry = readdir(dir.get())) count += entry->d_name[0] != '.';
  return count;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) stats.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  const std::vector<std::string> fields = StatFields();
  stats.start_time_seconds = BootTime() + Field(fields, kStartTime) / static_cast<double>(sysconf(_SC_CLK_TCK));
  stats.resident_bytes = Field(fields, kResident) * static_cast<double>(sysconf(_SC_PAGESIZE));
  stats.open_fds = CountOpenFds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<double>(limit.rlim_cur);
  return stats;
}

}  // namespace sluice::admin
