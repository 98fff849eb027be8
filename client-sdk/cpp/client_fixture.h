#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>

#include "client-sdk/cpp/fake_daemon.h"
#include "sluice/client.h"

namespace sluice::testing {

// A client and a daemon that the test plays.
class ClientTest : public ::testing::Test {
 protected:
  // The stream of a new consumption, opened.
  std::shared_ptr<FakeStream> Accept() {
    auto stream = daemon_.Accept();
    stream->Opened();
    return stream;
  }

  FakeDaemon daemon_;
  Client client_{ClientOptions{
      .address = daemon_.address(), .client_id = "me", .first_retry = std::chrono::milliseconds(1), .log = nullptr}};
};

// What a test waits for. Fails it after 20 s.
template <typename T>
T Await(std::future<T> future) {
  if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) throw std::runtime_error("never came");
  return future.get();
}

}  // namespace sluice::testing
