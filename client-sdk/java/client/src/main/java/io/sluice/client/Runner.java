package io.sluice.client;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;

/** Calls the app's handler, and makes a verdict of what it does. */
abstract class Runner {
  final ConsumeOptions options;

  Runner(ConsumeOptions options) {
    this.options = options;
  }

  /** Works on a started message. False: the slot is to wait, and {@code slot.resume()} will be called. */
  abstract boolean run(Held held, Workers.Slot slot);

  /** What a handler's end means; null: nothing. {@code error}: null, if it returned. */
  final Verdict verdictOf(Session session, Throwable error) {
    if (error == null) return options.manual() ? null : Verdict.ACK;
    Throwable cause = unwrapped(error);
    if (cause instanceof RetryAfterException retry) return Verdict.nak(retry.delay());
    if (cause instanceof RejectException reject) return Verdict.term(reject.getMessage());
    session.onThrown(cause);
    return Verdict.NAK;
  }

  /** The handler is through with it. A verdict that the app gave itself stays. */
  static void end(Message message, Verdict verdict) {
    if (verdict != null) message.settle(verdict);
    Held held = message.held();
    if (held.laneKey != null) held.frame.session.inbox().leaveLane(held);
  }

  /** What futures wrap. */
  private static Throwable unwrapped(Throwable error) {
    boolean wrapped = error instanceof CompletionException || error instanceof ExecutionException;
    return wrapped && error.getCause() != null ? unwrapped(error.getCause()) : error;
  }

  /** Of {@link Handler}. */
  static final class OfHandler extends Runner {
    private final Handler handler;

    OfHandler(ConsumeOptions options, Handler handler) {
      super(options);
      this.handler = handler;
    }

    @Override
    boolean run(Held held, Workers.Slot slot) {
      Message message = Leaks.message(held, options.manual());
      Throwable error = null;
      Interruption interruption = Interruption.of(options, List.of(message));
      Traces.Scope scope = Traces.enter(message);
      try {
        handler.handle(message);
      } catch (Throwable e) {
        error = e;
      } finally {
        scope.close();
      }
      interruption.end();
      end(message, verdictOf(held.frame.session, error));
      return true;
    }
  }

  /** Of {@link AsyncHandler}. */
  static final class OfAsyncHandler extends Runner {
    private final AsyncHandler handler;

    OfAsyncHandler(ConsumeOptions options, AsyncHandler handler) {
      super(options);
      this.handler = handler;
    }

    @Override
    boolean run(Held held, Workers.Slot slot) {
      Session session = held.frame.session;
      Message message = Leaks.message(held, options.manual());
      CompletionStage<?> stage;
      Traces.Scope scope = Traces.enter(message);
      try {
        stage = handler.handle(message);
        if (stage == null) throw new NullPointerException("the handler returned null instead of a stage");
      } catch (Throwable e) {
        end(message, verdictOf(session, e));
        return true;
      } finally {
        scope.close();
      }
      Thread starter = Thread.currentThread();
      boolean[] done = {false}; // written and read by the starter alone
      boolean[] starting = {true};
      stage.whenComplete(
          (result, error) -> {
            end(message, verdictOf(session, error));
            if (Thread.currentThread() == starter && starting[0]) {
              done[0] = true;
            } else {
              slot.resume();
            }
          });
      starting[0] = false;
      return done[0];
    }
  }

  /** Of {@link BatchHandler}. */
  static final class OfBatchHandler extends Runner {
    private final BatchHandler handler;
    private final int most;

    OfBatchHandler(ConsumeOptions options, BatchHandler handler) {
      super(options);
      this.handler = handler;
      this.most = options.maxBatch() == 0 ? Limits.FRAME_MESSAGES : options.maxBatch();
    }

    @Override
    boolean run(Held first, Workers.Slot slot) {
      List<Message> messages = new ArrayList<>();
      for (Held held = first; held != null; held = messages.size() < most ? slot.more() : null) {
        messages.add(Leaks.message(held, options.manual()));
      }
      Throwable error = null;
      Interruption interruption = Interruption.of(options, messages);
      try {
        handler.handle(Collections.unmodifiableList(messages));
      } catch (Throwable e) {
        error = e;
      }
      interruption.end();
      Verdict verdict = verdictOf(first.frame.session, error);
      for (Message message : messages) end(message, verdict);
      return true;
    }
  }
}
