package io.sluice.client;

import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * How to consume. Immutable: each setter returns a changed copy.
 *
 * <pre>{@code
 * client.consume("orders", ConsumeOptions.defaults().concurrency(8), m -> work(m.data()));
 * }</pre>
 *
 * <p>Hooks are called one at a time and in order, on a thread that nothing else waits for; one that throws is logged,
 * and otherwise ignored. They must not wait for the consumption that they belong to.
 */
public final class ConsumeOptions {
  private static final ConsumeOptions DEFAULTS = new ConsumeOptions();

  private int concurrency = 1;
  private int creditMessages = 0;
  private long creditBytes = 0;
  private int maxBatch = 0;
  private Function<? super Message, ?> key = null;
  private boolean handBack = false;
  private boolean manual = false;
  private boolean confirm = false;
  private boolean resumable = true;
  private boolean interruptOnCancel = false;
  private int remembered = 4096;
  private Executor executor = null;
  private BiConsumer<? super State, ? super String> onState = (state, detail) -> {};
  private Consumer<? super Draining> onDraining = draining -> {};
  private Consumer<? super DrainReport> onDrained = report -> {};
  private Consumer<? super SluiceException> onError = error -> {};
  private Consumer<? super Stats> onStats = null;

  private ConsumeOptions() {}

  private ConsumeOptions(ConsumeOptions from) {
    concurrency = from.concurrency;
    creditMessages = from.creditMessages;
    creditBytes = from.creditBytes;
    maxBatch = from.maxBatch;
    key = from.key;
    handBack = from.handBack;
    manual = from.manual;
    confirm = from.confirm;
    resumable = from.resumable;
    interruptOnCancel = from.interruptOnCancel;
    remembered = from.remembered;
    executor = from.executor;
    onState = from.onState;
    onDraining = from.onDraining;
    onDrained = from.onDrained;
    onError = from.onError;
    onStats = from.onStats;
  }

  private ConsumeOptions with(Consumer<ConsumeOptions> change) {
    ConsumeOptions copy = new ConsumeOptions(this);
    change.accept(copy);
    return copy;
  }

  /**
   * One handler at a time, and as much credit as it makes use of.
   *
   * @return the defaults, as documented at each setter
   */
  public static ConsumeOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Handlers that run at once. Not used by {@link Messages} and {@link Fetcher}, where the caller's threads do the work.
   *
   * @param handlers 1..10,000; default 1: one after the other, in the order of delivery
   * @return a changed copy
   */
  public ConsumeOptions concurrency(int handlers) {
    return with(o -> o.concurrency = Limits.within(handlers, 1, Limits.HANDLERS, "concurrency"));
  }

  /**
   * How many messages to hold at once: running, and waiting here for a handler.
   *
   * @param messages at most 1,048,576; default 0: no more than keeps the handlers at work, which is what they finish in
   *     50 to 250 ms; at least 4 per handler and 8, at most 4,096 (at least 4 per handler)
   * @return a changed copy
   */
  public ConsumeOptions creditMessages(int messages) {
    return with(o -> o.creditMessages = Limits.within(messages, 0, Limits.CREDIT_MESSAGES, "creditMessages"));
  }

  /**
   * How many bytes of subjects, headers and data to hold at once. A message that is larger comes alone.
   *
   * @param bytes at most 1 GiB; default 0: the daemon's 8 MiB
   * @return a changed copy
   */
  public ConsumeOptions creditBytes(long bytes) {
    return with(o -> o.creditBytes = Limits.within(bytes, 0, Limits.CREDIT_BYTES, "creditBytes"));
  }

  /**
   * Most messages in one frame of the daemon's, and so in one call of a {@link BatchHandler}.
   *
   * @param messages 1..256; default 0: 256
   * @return a changed copy
   */
  public ConsumeOptions maxBatch(int messages) {
    return with(o -> o.maxBatch = Limits.within(messages, 0, Limits.FRAME_MESSAGES, "maxBatch"));
  }

  /**
   * Orders by key: messages of one key never run at once here, and run in the order of delivery. With {@code manual} a
   * message runs until its verdict; so a batch, or what is settled later, has one message of a key at most.
   *
   * @param key from a message to its key, equal by {@code equals}; null: it has none. It must be quick, and must not
   *     settle. Default: the daemon's key, where {@code ordering: key} is configured there
   * @return a changed copy
   */
  public ConsumeOptions key(Function<? super Message, ?> key) {
    return with(o -> o.key = Objects.requireNonNull(key, "key"));
  }

  /**
   * At a drain, what waits here is NAKed instead of being worked off.
   *
   * @param handBack default: no
   * @return a changed copy
   */
  public ConsumeOptions handBack(boolean handBack) {
    return with(o -> o.handBack = handBack);
  }

  /**
   * The app settles by {@link Message#ack()} and the like, when it likes and from any thread: returning from a handler,
   * or going on in a loop, settles nothing. A message that the garbage collector finds without a verdict naks, with a
   * warning in the log.
   *
   * @param manual default: no
   * @return a changed copy
   */
  public ConsumeOptions manual(boolean manual) {
    return with(o -> o.manual = manual);
  }

  /**
   * Asks the server to confirm each verdict, told by {@link Message#outcome()}. About half the rate.
   *
   * @param confirm default: no
   * @return a changed copy
   */
  public ConsumeOptions confirm(boolean confirm) {
    return with(o -> o.confirm = confirm);
  }

  /**
   * Asks for a token with each message, by which it is settled through the daemon's successor if the daemon is killed:
   * what the handlers have done by then is not done again.
   *
   * @param resumable default: yes
   * @return a changed copy
   */
  public ConsumeOptions resumable(boolean resumable) {
    return with(o -> o.resumable = resumable);
  }

  /**
   * Interrupts the thread of a {@link Handler} or {@link BatchHandler} once nobody waits for its verdict any more; see
   * {@link Message#cancelled()}. Off by default, as work that goes on may still be taken up again: a killed daemon's
   * successor gives such a message to the handler that has it.
   *
   * @param interrupt default: no
   * @return a changed copy
   */
  public ConsumeOptions interruptOnCancel(boolean interrupt) {
    return with(o -> o.interruptOnCancel = interrupt);
  }

  /**
   * How many verdicts are remembered, in case their daemon dies before JetStream knows: if such a message comes again,
   * it gets the same verdict without being handled twice. At least as many as the credit are.
   *
   * @param verdicts 0..1,048,576; default 4,096: some 200 bytes each
   * @return a changed copy
   */
  public ConsumeOptions remembered(int verdicts) {
    return with(o -> o.remembered = Limits.within(verdicts, 0, Limits.CREDIT_MESSAGES, "remembered"));
  }

  /**
   * Where handlers run. It must run {@code concurrency} tasks at once; a task ends when nothing waits.
   *
   * @param executor default: virtual threads where the JVM has them (Java 21), else daemon threads as needed
   * @return a changed copy
   */
  public ConsumeOptions executor(Executor executor) {
    return with(o -> o.executor = Objects.requireNonNull(executor, "executor"));
  }

  /**
   * What stands between the app and its messages, on every change.
   *
   * @param hook gets the state, and a detail for people, which may be empty
   * @return a changed copy
   */
  public ConsumeOptions onState(BiConsumer<? super State, ? super String> hook) {
    return with(o -> o.onState = Objects.requireNonNull(hook, "hook"));
  }

  /**
   * A drain has begun, the app's or the daemon's.
   *
   * @param hook gets who drains, and until when
   * @return a changed copy
   */
  public ConsumeOptions onDraining(Consumer<? super Draining> hook) {
    return with(o -> o.onDraining = Objects.requireNonNull(hook, "hook"));
  }

  /**
   * A drain is over, the app's or the daemon's.
   *
   * @param hook gets the report
   * @return a changed copy
   */
  public ConsumeOptions onDrained(Consumer<? super DrainReport> hook) {
    return with(o -> o.onDrained = Objects.requireNonNull(hook, "hook"));
  }

  /**
   * A handler threw, verdicts did not count, or the consumption has ended for good.
   *
   * @param hook gets what {@link SluiceException} lists
   * @return a changed copy
   */
  public ConsumeOptions onError(Consumer<? super SluiceException> hook) {
    return with(o -> o.onError = Objects.requireNonNull(hook, "hook"));
  }

  /**
   * What is counted, for a metrics library: every second in which it has changed, and at the end.
   *
   * @param hook gets the counts so far
   * @return a changed copy
   */
  public ConsumeOptions onStats(Consumer<? super Stats> hook) {
    return with(o -> o.onStats = Objects.requireNonNull(hook, "hook"));
  }

  int concurrency() {
    return concurrency;
  }

  int creditMessages() {
    return creditMessages;
  }

  long creditBytes() {
    return creditBytes;
  }

  int maxBatch() {
    return maxBatch;
  }

  Function<? super Message, ?> key() {
    return key;
  }

  boolean handBack() {
    return handBack;
  }

  boolean manual() {
    return manual;
  }

  boolean confirm() {
    return confirm;
  }

  boolean resumable() {
    return resumable;
  }

  boolean interruptOnCancel() {
    return interruptOnCancel;
  }

  int remembered() {
    return remembered;
  }

  Executor executor() {
    return executor == null ? Threads.executor() : executor;
  }

  BiConsumer<? super State, ? super String> onState() {
    return onState;
  }

  Consumer<? super Draining> onDraining() {
    return onDraining;
  }

  Consumer<? super DrainReport> onDrained() {
    return onDrained;
  }

  Consumer<? super SluiceException> onError() {
    return onError;
  }

  /** Null: nobody counts. */
  Consumer<? super Stats> onStats() {
    return onStats;
  }
}
