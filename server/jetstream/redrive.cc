#include "jetstream/redrive.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "core/dead_letter.h"
#include "core/subject.h"
#include "jetstream/api_reply.h"
#include "jetstream/connection.h"
#include "jetstream/publish.h"
#include "jetstream/stored_message.h"

namespace sluice::jetstream {
namespace {

namespace header = core::dead_letter_header;
using nlohmann::json;

constexpr absl::Duration kRequestTimeout = absl::Seconds(5);

std::string HeaderOf(const core::Message& message, absl::string_view name) {
  const auto it = std::find_if(message.headers.begin(), message.headers.end(),
                               [name](const core::Header& header) { return header.name == name; });
  return it == message.headers.end() ? "" : std::string(it->value);
}

bool BoolAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

uint64_t CountAt(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_unsigned() ? it->get<uint64_t>() : 0;
}

// One redrive under way, one letter after the other, on a loop of its own.
class Redriver final : public Connection::Listener {
 public:
  Redriver(const RedriveOrder& order, absl::FunctionRef<void(const RedriveReport&)> progress, RedriveReport* report,
           base::EventLoop* loop)
      : order_(order), progress_(progress), report_(report), loop_(loop), deadline_(&loop->timers()) {}

  absl::Status Run(const ConnectionOptions& options, absl::Duration timeout) {
    auto connection = Connection::Connect(options, loop_);
    if (!connection.ok()) return connection.status();
    connection_ = *std::move(connection);
    deadline_.SetAfter(timeout, [this, timeout] {
      const std::string why = connection_->status().last_error;
      End(absl::UnavailableError(
          absl::StrCat("not connected to NATS within ", absl::FormatDuration(timeout), why.empty() ? "" : ": ", why)));
    });
    connection_->AddListener(this);
    loop_->Run();
    connection_->RemoveListener(this);
    connection_.reset();
    return result_;
  }

  // What is asked while the connection goes ends with an error, which says so.
  void OnConnection(bool connected) override {
    if (!connected || std::exchange(begun_, true)) return;
    deadline_.Cancel();
    FindStream();
  }

 private:
  using Step = void (Redriver::*)(const json& body);

  void End(const absl::Status& status) {
    result_ = status;
    loop_->Stop();
  }

  // Asks the API, and goes on with what it says.
  void Ask(const std::string& what, const json& request, Step then) {
    const std::string subject = absl::StrCat(connection_->api_prefix(), ".", what);
    connection_->Request(this, subject.c_str(), request.is_null() ? "" : request.dump(), kRequestTimeout,
                         [this, what, then](const absl::StatusOr<absl::string_view>& text) {
                           const absl::StatusOr<ApiReply> reply = text.ok() ? ParseApiReply(*text) : text.status();
                           if (!reply.ok()) {
                             return End(absl::UnavailableError(absl::StrCat(what, ": ", reply.status().message(),
                                                                            "; run it again, nothing is lost")));
                           }
                           if (reply->code != 0) return EndRefused(what, *reply);
                           (this->*then)(reply->body);
                         });
  }

  void EndRefused(const std::string& what, const ApiReply& reply) {
    if (reply.err_code == kStreamNotFound) {
      return End(absl::NotFoundError(
          absl::StrCat("stream ", order_.stream, " does not exist; nothing can be put back until it does")));
    }
    End(absl::UnavailableError(
        absl::StrCat(what, ": ", reply.description, " (code ", reply.code, ", err_code ", reply.err_code, ")")));
  }

  // --- what there is ---

  void FindStream() { Ask("STREAM.NAMES", {{"subject", order_.subject}}, &Redriver::OnNames); }

  void OnNames(const json& body) {
    const auto names = body.find("streams");
    const bool found = names != body.end() && names->is_array() && !names->empty() && names->front().is_string();
    if (!found) {
      return End(
          absl::NotFoundError(absl::StrCat("no stream holds the subject '", order_.subject,
                                           "', so that there are no dead letters; create one (nats stream add)")));
    }
    report_->dead_letter_stream = names->front().get<std::string>();
    Ask(absl::StrCat("STREAM.INFO.", order_.stream), json(), &Redriver::OnOriginalStream);
  }

  void OnOriginalStream(const json& body) {
    const json config = body.value("config", json::object());
    if (const auto subjects = config.find("subjects"); subjects != config.end() && subjects->is_array()) {
      for (const json& subject : *subjects) {
        if (subject.is_string()) subjects_.push_back(subject.get<std::string>());
      }
    }
    Ask(absl::StrCat("STREAM.INFO.", report_->dead_letter_stream), json(), &Redriver::OnDeadLetterStream);
  }

  void OnDeadLetterStream(const json& body) {
    const json config = body.value("config", json::object());
    const bool keeps_all = BoolAt(config, "deny_delete") || BoolAt(config, "sealed");
    if (keeps_all && !order_.dry_run) {
      return End(absl::FailedPreconditionError(
          absl::StrCat("stream ", report_->dead_letter_stream,
                       " does not let messages be deleted, so that each run would put all of them back; use a stream "
                       "without deny_delete for dead letters")));
    }
    const json state = body.value("state", json::object());
    last_sequence_ = CountAt(state, "last_seq");
    next_sequence_ = std::max<uint64_t>(CountAt(state, "first_seq"), 1);
    Next();
  }

  // --- one letter after the other ---

  void Next() {
    const bool enough = order_.limit > 0 && report_->redriven >= order_.limit;
    if (enough || next_sequence_ > last_sequence_) return End(absl::OkStatus());
    const json request = {{"seq", next_sequence_}, {"next_by_subj", order_.subject}};
    const std::string subject =
        absl::StrCat(connection_->api_prefix(), ".STREAM.MSG.GET.", report_->dead_letter_stream);
    connection_->Request(this, subject.c_str(), request.dump(), kRequestTimeout,
                         [this](const absl::StatusOr<absl::string_view>& text) {
                           OnLetter(text.ok() ? ParseStoredMessage(*text) : text.status());
                         });
  }

  void OnLetter(absl::StatusOr<core::Message> message) {
    if (absl::IsNotFound(message.status())) return End(absl::OkStatus());
    if (!message.ok()) return End(message.status());
    letter_ = *std::move(message);
    if (letter_.stream_sequence > last_sequence_) return End(absl::OkStatus());
    next_sequence_ = letter_.stream_sequence + 1;
    const bool ours =
        HeaderOf(letter_, header::kStream) == order_.stream && HeaderOf(letter_, header::kConsumer) == order_.durable;
    subject_ = HeaderOf(letter_, header::kSubject);
    if (!ours) {
      ++report_->of_others;
    } else if (!order_.filter.empty() && !core::SubjectMatches(order_.filter, subject_)) {
      ++report_->filtered;
    } else if (!IsOfTheStream(subject_)) {
      NoteUnusable(absl::StrCat("its subject '", subject_, "' is none of stream ", order_.stream, " any more"));
    } else if (order_.dry_run) {
      return Done();
    } else {
      return PutBack();
    }
    GoOn();
  }

  // A dead letter may be anybody's: what it says is not published just anywhere.
  bool IsOfTheStream(const std::string& subject) const {
    const bool literal = subject.find_first_of(" *>\t\r\n") == std::string::npos && !subject.empty();
    return literal && std::any_of(subjects_.begin(), subjects_.end(),
                                  [&](const std::string& pattern) { return core::SubjectMatches(pattern, subject); });
  }

  void NoteUnusable(const std::string& why) {
    ++report_->num_unusable;
    if (report_->unusable.size() >= RedriveReport::kMostSentences) return;
    report_->unusable.push_back(
        absl::StrCat("message ", letter_.stream_sequence, " of ", report_->dead_letter_stream, ": ", why));
  }

  void PutBack() {
    const std::string from = absl::StrCat(report_->dead_letter_stream, "/", letter_.stream_sequence);
    auto headers = core::OriginalHeaders(letter_.headers);
    headers.emplace_back(header::kRedrivenFrom, from);
    headers.emplace_back(header::kMsgId, absl::StrCat("sluice-redrive/", from, "/", letter_.timestamp_ns));
    PublishToStream(connection_.get(), this, subject_, std::move(headers), letter_.data, kRequestTimeout,
                    [this](const absl::StatusOr<PubAck>& ack) { OnPutBack(ack); });
  }

  void OnPutBack(const absl::StatusOr<PubAck>& ack) {
    if (!ack.ok()) return End(ack.status());
    if (ack->stream != order_.stream) {
      return End(absl::FailedPreconditionError(
          absl::StrCat("stream ", ack->stream, ", not ", order_.stream, ", has taken the message on '", subject_,
                       "'; its dead letter was kept. Correct the streams' subjects")));
    }
    report_->repeated += ack->duplicate;
    Ask(absl::StrCat("STREAM.MSG.DELETE.", report_->dead_letter_stream),
        {{"seq", letter_.stream_sequence}, {"no_erase", true}}, &Redriver::OnDeleted);
  }

  void OnDeleted(const json&) { Done(); }

  void Done() {
    ++report_->redriven;
    ++report_->by_subject[subject_];
    GoOn();
  }

  void GoOn() {
    progress_(*report_);
    Next();
  }

  const RedriveOrder& order_;
  const absl::FunctionRef<void(const RedriveReport&)> progress_;
  RedriveReport* const report_;
  base::EventLoop* const loop_;
  base::Timer deadline_;  // of the connection
  std::unique_ptr<Connection> connection_;
  bool begun_ = false;
  absl::Status result_;

  std::vector<std::string> subjects_;  // of the consumer's stream
  uint64_t next_sequence_ = 1;
  uint64_t last_sequence_ = 0;  // when it began: what fails again meanwhile is not put back again
  core::Message letter_;        // the one that is being put back
  std::string subject_;         // its original one
};

}  // namespace

absl::Status Redrive(const ConnectionOptions& options, const RedriveOrder& order, absl::Duration timeout,
                     absl::FunctionRef<void(const RedriveReport&)> progress, RedriveReport* report) {
  const base::SteadyClock clock;
  base::EventLoop loop(&clock);
  return Redriver(order, progress, report, &loop).Run(options, timeout);
}

}  // namespace sluice::jetstream
