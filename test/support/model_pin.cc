#include "test/support/model_pin.h"

#include "absl/strings/str_cat.h"

namespace sluice::test {

bool ModelPin::Admit(absl::string_view pin_id) {
  if (!applies() || id_.empty()) return true;
  if (pin_id == id_) Arm();
  return pin_id == id_ || pin_id.empty();
}

ModelPin::Turn ModelPin::Judge(int connection, core::PullRequest& pull) {
  if (!applies()) return Turn::kTakes;
  if (id_.empty() && pull.pin_id.empty()) {
    id_ = absl::StrCat("pin-", ++last_);
    connection_ = connection;
    pull.pin_id = id_;
    Arm();
    return Turn::kTakes;
  }
  if (pull.pin_id.empty()) return Turn::kPasses;
  return pull.pin_id == id_ ? Turn::kTakes : Turn::kWrongPin;
}

void ModelPin::End() {
  id_.clear();
  connection_ = 0;
  timer_.Cancel();
}

void ModelPin::Arm() {
  timer_.SetAfter(timeout_, [this] {
    End();
    ended_();
  });
}

}  // namespace sluice::test
