#pragma once

#include <string>

#include "sluice/message.h"

namespace sluice::app {

// A message as one line, without the line break. Content may be any bytes: text shows what is no printable UTF-8 as
// \x.., JSON carries it as base64 in a field of its own (`data_base64` instead of `data`).
std::string TextLine(const Message& message);     // "42 orders.new hello"
std::string SubjectLine(const Message& message);  // "orders.new"
std::string JsonLine(const Message& message);

}  // namespace sluice::app
