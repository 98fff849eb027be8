#include "jetstream/survey.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "jetstream/connection.h"

namespace sluice::jetstream {
namespace {

using nlohmann::json;

int64_t IntAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

std::string TextAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// One survey under way, on a loop of its own.
class Surveyor final : public Connection::Listener {
 public:
  Surveyor(const std::vector<SurveyQuestion>& questions, base::EventLoop* loop)
      : questions_(questions), loop_(loop), deadline_(&loop->timers()) {
    survey_.answers.resize(questions.size());
    dead_letters_.resize(questions.size());
  }

  absl::StatusOr<Survey> Take(const ConnectionOptions& options, absl::Duration timeout) {
    auto connection = Connection::Connect(options, loop_);
    if (!connection.ok()) return connection.status();
    connection_ = *std::move(connection);
    deadline_.SetAfter(timeout, [this] { loop_->Stop(); });
    connection_->AddListener(this);
    loop_->Run();
    const ConnectionStatus status = connection_->status();
    connection_->RemoveListener(this);
    connection_.reset();
    // It tells why nothing came: a login that is refused, a subject that is not permitted.
    const std::string why = status.last_error.empty() ? "" : absl::StrCat(": ", status.last_error);
    if (!asked_) {
      return absl::UnavailableError(absl::StrCat("not connected within ", absl::FormatDuration(timeout), why));
    }
    for (size_t i = 0; i < questions_.size(); ++i) survey_.answers[i].dead_letters = dead_letters_[i];
    for (SurveyAnswer& answer : survey_.answers) {
      const bool is_open = answer.presence == SurveyAnswer::Presence::kUnknown && answer.error.empty();
      if (is_open) answer.error = absl::StrCat("no answer within ", absl::FormatDuration(timeout), why);
    }
    return std::move(survey_);
  }

  // Once is enough: what is asked while the connection goes ends with an error, which says so.
  void OnConnection(bool connected) override {
    if (!connected || std::exchange(asked_, true)) return;
    for (size_t i = 0; i < questions_.size(); ++i) {
      Ask(i);
      if (!questions_[i].dead_letter_subject.empty()) AskForDeadLetters(i);
    }
    // Connection reads the server's greeting on that thread, and has begun to: this is after it.
    ++awaited_;
    connection_->RunBlocking([this] { loop_->Post([this] { OnGreetingRead(); }); });
  }

 private:
  void Ask(size_t i) {
    const SurveyQuestion& question = questions_[i];
    const std::string subject =
        absl::StrCat(connection_->api_prefix(), ".CONSUMER.INFO.", question.stream, ".", question.durable);
    ++awaited_;
    // The deadline is the survey's.
    connection_->Request(this, subject.c_str(), "", absl::InfiniteDuration(),
                         [this, i](const absl::StatusOr<absl::string_view>& text) { OnAnswer(i, text); });
  }

  void OnAnswer(size_t i, const absl::StatusOr<absl::string_view>& text) {
    const absl::StatusOr<ApiReply> reply = text.ok() ? ParseApiReply(*text) : text.status();
    if (reply.ok()) {
      survey_.answers[i] = ParseSurveyAnswer(*reply, questions_[i].wanted);
    } else {
      survey_.answers[i].error = std::string(reply.status().message());
    }
    Note();
  }

  void AskForDeadLetters(size_t i) {
    const json request = {{"subject", questions_[i].dead_letter_subject}};
    ++awaited_;
    connection_->Request(this, absl::StrCat(connection_->api_prefix(), ".STREAM.NAMES").c_str(), request.dump(),
                         absl::InfiniteDuration(), [this, i](const absl::StatusOr<absl::string_view>& text) {
                           const absl::StatusOr<ApiReply> reply = text.ok() ? ParseApiReply(*text) : text.status();
                           if (reply.ok() && reply->code == 0) OnNames(i, reply->body);
                           Note();
                         });
  }

  void OnNames(size_t i, const json& body) {
    SurveyAnswer::DeadLetters& told = dead_letters_[i];
    const auto names = body.find("streams");
    const bool found = names != body.end() && names->is_array() && !names->empty() && names->front().is_string();
    told.known = !found;
    if (!found) return;
    told.stream = names->front().get<std::string>();
    ++awaited_;
    connection_->Request(this, absl::StrCat(connection_->api_prefix(), ".STREAM.INFO.", told.stream).c_str(), "",
                         absl::InfiniteDuration(), [this, i](const absl::StatusOr<absl::string_view>& text) {
                           const absl::StatusOr<ApiReply> reply = text.ok() ? ParseApiReply(*text) : text.status();
                           SurveyAnswer::DeadLetters& told = dead_letters_[i];
                           told.known = reply.ok() && reply->code == 0;
                           if (told.known) {
                             const json config = reply->body.value("config", json::object());
                             told.duplicate_window = absl::Nanoseconds(IntAt(config, "duplicate_window"));
                           }
                           Note();
                         });
  }

  void OnGreetingRead() {
    const ConnectionStatus status = connection_->status();
    survey_.url = status.url;
    survey_.server_version = status.server_version;
    Note();
  }

  void Note() {
    if (--awaited_ == 0) loop_->Stop();
  }

  const std::vector<SurveyQuestion>& questions_;
  base::EventLoop* const loop_;
  base::Timer deadline_;
  std::unique_ptr<Connection> connection_;
  bool asked_ = false;
  size_t awaited_ = 0;
  std::vector<SurveyAnswer::DeadLetters> dead_letters_;  // by question
  Survey survey_;
};

}  // namespace

SurveyAnswer ParseSurveyAnswer(const ApiReply& reply, const core::DurableConfig& wanted) {
  using Presence = SurveyAnswer::Presence;
  SurveyAnswer answer;
  if (reply.err_code == kStreamNotFound || reply.err_code == kConsumerNotFound) {
    answer.presence = reply.err_code == kStreamNotFound ? Presence::kStreamMissing : Presence::kConsumerMissing;
    return answer;
  }
  if (reply.code != 0) {
    answer.error = absl::StrCat(reply.description, " (code ", reply.code, ", err_code ", reply.err_code, ")");
    return answer;
  }
  const auto config = reply.body.find("config");
  if (config == reply.body.end() || !config->is_object()) {
    answer.error = "an answer without a configuration; is something else serving its API subjects?";
    return answer;
  }
  answer.presence = Presence::kThere;
  answer.config = ParseDurableConfig(*config);
  answer.changeable = CompareConsumerConfig(*config, wanted, Fields::kMutable);
  answer.fixed = CompareConsumerConfig(*config, wanted, Fields::kFixed);
  answer.deliver_subject = TextAt(*config, "deliver_subject");
  answer.ack_policy = TextAt(*config, "ack_policy");
  answer.num_waiting = IntAt(reply.body, "num_waiting");
  answer.pause_remaining = absl::Nanoseconds(IntAt(reply.body, "pause_remaining"));
  return answer;
}

absl::StatusOr<Survey> TakeSurvey(const ConnectionOptions& options, const std::vector<SurveyQuestion>& questions,
                                  absl::Duration timeout) {
  const base::SteadyClock clock;
  base::EventLoop loop(&clock);
  return Surveyor(questions, &loop).Take(options, timeout);
}

}  // namespace sluice::jetstream
