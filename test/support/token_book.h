#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/delivery_token.h"

namespace sluice::test {

// All tokens that the daemons of a test have given, in place of a key: what is not in it is forged. Loop only.
class TokenBook {
 public:
  std::string Add(const core::DeliveryToken& token) {
    const std::string sealed = absl::StrCat("token-", tokens_.size() + 1);
    tokens_.emplace(sealed, token);
    return sealed;
  }
  void MarkCrashed(uint64_t instance) { crashed_.insert(instance); }
  bool crashed(uint64_t instance) const { return crashed_.contains(instance); }
  const core::DeliveryToken* Find(absl::string_view sealed) const {
    const auto it = tokens_.find(std::string(sealed));
    return it == tokens_.end() ? nullptr : &it->second;
  }

 private:
  std::map<std::string, core::DeliveryToken> tokens_;
  std::set<uint64_t> crashed_;
};

// One daemon's view of the book.
class BookTokens final : public core::TokenCodec {
 public:
  BookTokens(TokenBook* book, uint64_t instance) : book_(book), instance_(instance) {}

  uint64_t instance() const override { return instance_; }
  bool crashed(uint64_t instance) const override { return book_->crashed(instance); }
  void Seal(const core::DeliveryToken& token, std::string* sealed) const override { *sealed = book_->Add(token); }
  absl::StatusOr<core::DeliveryToken> Open(absl::string_view sealed) const override {
    const core::DeliveryToken* token = book_->Find(sealed);
    if (token == nullptr) return absl::InvalidArgumentError("not a token of this daemon: forged");
    return *token;
  }

 private:
  TokenBook* const book_;
  const uint64_t instance_;
};

}  // namespace sluice::test
