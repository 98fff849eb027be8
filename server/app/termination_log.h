#pragma once

#include "absl/strings/string_view.h"

namespace sluice::app {

// Leaves `text` where Kubernetes shows it as the container's last words: /dev/termination-log, or what
// SLUICE_TERMINATION_LOG names. Does nothing if that file does not exist or cannot be written: then this is not a pod.
void WriteTerminationLog(absl::string_view text);

}  // namespace sluice::app
