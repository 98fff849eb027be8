#include "rpc/frame.h"

#include <string>

#include "rpc/convert.h"

namespace sluice::rpc {

const v1::ConsumeResponse& Frame::Fill(absl::Span<const core::Delivery* const> batch) {
  auto* deliveries = response_.mutable_deliveries()->mutable_deliveries();
  for (v1::Delivery& delivery : *deliveries) {
    if (delivery.ByteSizeLong() > kMaxKept) delivery = v1::Delivery();
  }
  deliveries->Clear();  // keeps the elements and their strings for Add()
  for (const core::Delivery* delivery : batch) ToProto(*delivery, deliveries->Add());
  return response_;
}

}  // namespace sluice::rpc
