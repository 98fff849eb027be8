#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/dead_letter_sink.h"

namespace sluice::test {

// A sink that does nothing by itself: it writes down what core asks for, and the test answers by hand. Loop only.
class ScriptedDeadLetters final : public core::DeadLetterSink {
 public:
  struct Published {
    core::DeadLetter letter;  // `data` is a copy, in `data`
    std::string data;
    uint64_t tag;
  };

  void Start(Listener* started) override { listener = started; }
  void Publish(const core::DeadLetter& letter, uint64_t tag) override {
    published.push_back({letter, std::string(letter.data), tag});
  }
  void Fetch(uint64_t stream_sequence) override { fetched.push_back(stream_sequence); }
  void StopListening() override { ++stops; }

  // --- the server, played by the test ---

  void Answer(size_t i, const absl::Status& status = absl::OkStatus()) {
    listener->OnPublished(published[i].tag, status);
  }
  // The value of a header of the i-th letter; "(none)": it has none.
  std::string Header(size_t i, const std::string& name) const {
    for (const auto& [key, value] : published[i].letter.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }

  Listener* listener = nullptr;
  std::vector<Published> published;
  std::vector<uint64_t> fetched;
  int stops = 0;
};

}  // namespace sluice::test
