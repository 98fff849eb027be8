#include "test/integration/load.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "test/integration/await.h"

namespace sluice::integration {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(5);
constexpr uint64_t kMostUnconfirmed = 2000;

}  // namespace

Load::Load(const std::string& url, const std::string& subject, int rate) : rate_(rate) {
  loop_.Run([&] {
    jetstream::ConnectionOptions options;
    options.servers = {url};
    options.name = "load";
    options.reconnect_wait = absl::Milliseconds(50);
    auto connection = jetstream::Connection::Connect(options, loop_.loop());
    ASSERT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
    publisher_ = std::make_unique<jetstream::Publisher>(connection_.get(), loop_.loop(), subject,
                                                        absl::StrCat("load-", getpid()));
    timer_ = std::make_unique<base::Timer>(&loop_.loop()->timers());
    last_tick_ = loop_.loop()->timers().now();
    Tick();
  });
}

Load::~Load() {
  loop_.Run([this] {
    timer_.reset();
    publisher_.reset();
    connection_.reset();
  });
}

// While the server is away the numbers that were due are not made up for.
void Load::Tick() {
  const absl::Time now = loop_.loop()->timers().now();
  due_ = std::min(due_ + rate_ * absl::ToDoubleSeconds(now - last_tick_), rate_ * 0.1 + 1);
  last_tick_ = now;
  for (; due_ >= 1 && publisher_->unconfirmed() < kMostUnconfirmed; --due_) {
    publisher_->Publish(absl::StrCat(++published_));
  }
  timer_->SetAfter(kTick, [this] { Tick(); });
}

void Load::SetRate(int rate) {
  loop_.Run([&] { rate_ = rate; });
}

void Load::Add(int count) {
  loop_.Run([&] {
    for (int i = 0; i < count; ++i) publisher_->Publish(absl::StrCat(++published_));
  });
}

uint64_t Load::Stop() {
  auto confirmed = std::make_shared<absl::Notification>();
  loop_.Run([&] {
    timer_->Cancel();
    publisher_->WhenConfirmed([confirmed] { confirmed->Notify(); });
  });
  return confirmed->WaitForNotificationWithTimeout(kPatience) ? published() : 0;
}

uint64_t Load::published() {
  return loop_.Run([this] { return published_; });
}

}  // namespace sluice::integration
