#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::internal {

// `text`, fit for a proto3 `string` field of at most `most` bytes: what is not UTF-8 becomes '?', and no character is
// cut in two. One stray byte in such a field would make the whole request unreadable and end the stream.
std::string ToUtf8(std::string_view text, size_t most);

}  // namespace sluice::internal
