#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jetstream/server_fixture.h"
#include "test/support/model_jetstream.h"
#include "test/support/model_source.h"
#include "test/support/sim_clock.h"

// Where the scripts of habits are played: the model that the simulation runs on, and each real server. Only tests
// include it.
namespace sluice::test {

using jetstream::Recorder;

struct Settings {
  absl::Duration ack_wait = absl::Seconds(30);
  int64_t max_deliver = -1;
  int64_t max_ack_pending = 1000;
  absl::Duration priority_timeout = absl::ZeroDuration();  // 0: no pinned client
  bool ack_all = false;                                    // ack_policy: all
};

// One stream, one durable, and sources on it, each of which listens through a Recorder of its own.
class World {
 public:
  virtual ~World() = default;
  virtual bool Start(const Settings& settings, const std::vector<Recorder*>& recorders) = 0;
  virtual void Publish(const std::string& data) = 0;
  // On the loop of the source.
  virtual void Do(const std::function<void(core::MessageSource&)>& action, size_t source = 0) = 0;
  // Lets time pass until it holds, of which the first Recorder alone decides; false if it does not soon.
  virtual bool Await(const std::function<bool()>& condition) = 0;
  virtual void Sleep(absl::Duration duration) = 0;
  virtual absl::Time Now() = 0;
};

class ModelWorld final : public World {
 public:
  explicit ModelWorld(absl::Duration most_replication) { options_.most_replication = most_replication; }

  bool Start(const Settings& settings, const std::vector<Recorder*>& recorders) override {
    options_.consumer.ack_wait = settings.ack_wait;
    options_.consumer.max_deliver = settings.max_deliver;
    options_.consumer.max_ack_pending = settings.max_ack_pending;
    options_.consumer.priority_timeout = settings.priority_timeout;
    options_.ack_all = settings.ack_all;
    server_ = std::make_unique<ModelJetStream>(&loop_.timers(), options_, &witness_);
    for (Recorder* recorder : recorders) {
      ModelSource::Options options;
      options.owner = static_cast<int>(sources_.size()) + 1;
      sources_.push_back(std::make_unique<ModelSource>(server_.get(), &loop_.timers(), options, &witness_));
      sources_.back()->Start(recorder);
    }
    return true;
  }
  void Publish(const std::string& data) override { server_->Publish("s.a", data); }
  void Do(const std::function<void(core::MessageSource&)>& action, size_t source) override {
    action(*sources_[source]);
  }
  bool Await(const std::function<bool()>& condition) override {
    const absl::Time end = loop_.now() + jetstream::kPatience;
    while (!condition() && loop_.Step(end)) {
    }
    return condition();
  }
  void Sleep(absl::Duration duration) override { loop_.RunFor(duration); }
  absl::Time Now() override { return loop_.now(); }

 private:
  SimLoop loop_;
  ModelJetStream::Options options_;
  ModelJetStream::Witness witness_;
  std::unique_ptr<ModelJetStream> server_;
  std::vector<std::unique_ptr<ModelSource>> sources_;
};

class RealWorld final : public World {
 public:
  explicit RealWorld(std::string binary) : binary_(std::move(binary)) {}
  ~RealWorld() override {
    loop_.Run([this] {
      sources_.clear();
      connections_.clear();
    });
  }

  bool Start(const Settings& settings, const std::vector<Recorder*>& recorders) override {
    recorder_ = recorders.front();
    NatsServer::Options options;
    options.binary = binary_;
    auto server = NatsServer::Start(options);
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return false;
    server_ = *std::move(server);
    auto admin = JetStreamAdmin::Connect(server_->url());
    EXPECT_TRUE(admin.ok()) << admin.status();
    if (!admin.ok()) return false;
    admin_ = *std::move(admin);
    EXPECT_TRUE(admin_->CreateStream("S", {"s.>"}).ok());
    core::DurableConfig config;
    config.ack_wait = settings.ack_wait;
    config.max_deliver = settings.max_deliver;
    config.max_ack_pending = settings.max_ack_pending;
    if (settings.ack_all) config.ack_policy = "all";
    std::string group;
    if (settings.priority_timeout > absl::ZeroDuration()) {
      group = "g";
      config.priority_groups = {group};
      config.priority_policy = "pinned_client";
      config.priority_timeout = settings.priority_timeout;
    }
    loop_.Run([&] {
      for (Recorder* recorder : recorders) {
        jetstream::ConnectionOptions connection;
        connection.servers = {server_->url()};
        connections_.push_back(*jetstream::Connection::Connect(connection, loop_.loop()));
        sources_.push_back(std::make_unique<jetstream::JetStreamSource>(
            connections_.back().get(), loop_.loop(),
            jetstream::JetStreamSource::Options{"S", "worker", core::Manage::kEnsure, config, group}));
        sources_.back()->Start(recorder);
      }
    });
    return true;
  }
  void Publish(const std::string& data) override { EXPECT_TRUE(admin_->Publish("s.a", data).ok()); }
  void Do(const std::function<void(core::MessageSource&)>& action, size_t source) override {
    loop_.Run([&] { action(*sources_[source]); });
  }
  bool Await(const std::function<bool()>& condition) override { return recorder_->Await(condition); }
  void Sleep(absl::Duration duration) override { absl::SleepFor(duration); }
  absl::Time Now() override { return absl::Now(); }

 private:
  const std::string binary_;
  Recorder* recorder_ = nullptr;
  std::unique_ptr<NatsServer> server_;
  std::unique_ptr<JetStreamAdmin> admin_;
  LoopThread loop_;
  std::vector<std::unique_ptr<jetstream::Connection>> connections_;
  std::vector<std::unique_ptr<jetstream::JetStreamSource>> sources_;
};

inline constexpr char kModel[] = "model";
inline constexpr char kReplicatedModel[] = "replicated_model";

inline bool IsModel(const std::string& name) { return name == kModel || name == kReplicatedModel; }

// By its name, or the path of a nats-server.
inline std::unique_ptr<World> MakeWorld(const std::string& name) {
  if (name == kModel) return std::make_unique<ModelWorld>(absl::ZeroDuration());
  if (name == kReplicatedModel) return std::make_unique<ModelWorld>(absl::Milliseconds(20));
  return std::make_unique<RealWorld>(name);
}

inline std::string WorldName(const testing::TestParamInfo<std::string>& info) {
  return IsModel(info.param) ? info.param : jetstream::ParamName(info);
}

}  // namespace sluice::test
