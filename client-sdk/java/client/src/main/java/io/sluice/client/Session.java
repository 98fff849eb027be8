package io.sluice.client;

import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.sluice.v1.ConsumeRequest;
import io.sluice.v1.ConsumeResponse;
import io.sluice.v1.Credit;
import io.sluice.v1.Deliveries;
import io.sluice.v1.Drain;
import io.sluice.v1.Open;
import io.sluice.v1.Opened;
import io.sluice.v1.Resumed;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One consumption over all its streams.
 *
 * <pre>
 * CONNECTING --Opened--> OPEN ---(stream ends)---> CONNECTING, after a backoff
 *                         '---(the app's drain is over, stop(), a permanent error)---> closed
 * </pre>
 *
 * <p>Lives on the client's I/O thread: everything that decides runs there, so there are no locks. The app's threads post
 * to it; verdicts, the one thing that comes for every message, go through {@link Settlements}, which is emptied before
 * anything else is looked at. Hooks are called elsewhere.
 */
final class Session implements Ledger.Outlet {
  private static final System.Logger LOG = System.getLogger("io.sluice.client");

  private static final long TELL_STATS = TimeUnit.SECONDS.toNanos(1);

  /** How long an on-demand session keeps what came too late for a fetch, in case another one follows. */
  private static final long UNWANTED = TimeUnit.SECONDS.toNanos(1);

  private final String consumer;
  private final String clientId;
  private final String address;
  private final ConsumeOptions options;
  private final boolean onDemand;
  private final Transport transport;
  private final EventLoop loop;
  private final Inbox inbox;
  private final Hooks hooks;
  private final Settlements settlements = new Settlements();
  private final CompletableFuture<Void> closed = new CompletableFuture<>();
  private final AtomicLong thrown = new AtomicLong();

  private volatile Duration maxLease = Duration.ZERO; // zero: not told

  // I/O thread only, all that follows, but for what Ending says.
  private final Ending ending = new Ending();
  private final Retry retry;
  private final CreditWindow credit;
  private final Ledger ledger;
  private final Results results;
  private final Outbox outbox = new Outbox();
  private final Patience patience;
  private boolean handsBack; // at a drain, what no handler has yet
  private int wanted = 0; // of an on-demand session: messages that a fetch waits for
  private boolean over = false;
  private Stream stream = null; // the current one

  /** {@code onDemand}: the credit is what {@link #want} says, else what the options say. */
  Session(
      String consumer,
      String clientId,
      ClientOptions client,
      ConsumeOptions options,
      boolean onDemand,
      Transport transport,
      Inbox inbox) {
    this.consumer = consumer;
    this.clientId = clientId;
    this.address = client.address();
    this.options = options;
    this.onDemand = onDemand;
    this.transport = transport;
    this.loop = transport.loop();
    this.inbox = inbox;
    this.hooks = new Hooks(consumer, options, Threads.executor());
    this.retry = new Retry(client, transport, this::openStream);
    this.credit = new CreditWindow(onDemand ? Limits.FRAME_MESSAGES : options.creditMessages(), options.concurrency());
    this.handsBack = options.handBack() || onDemand;
    this.ledger = new Ledger(credit.most(), options.remembered(), options.confirm(), this);
    this.results = new Results(ledger, hooks, options.confirm());
    this.patience = new Patience(loop, this::giveUp);
  }

  void start() {
    hooks.tellState(State.CONNECTING, "");
    post(this::openStream);
    if (hooks.wantStats()) post(this::tellStatsFromNowOn);
  }

  // -----------------------------------------------------------------------------------------------------------------
  // The app's threads

  Inbox inbox() {
    return inbox;
  }

  Hooks hooks() {
    return hooks;
  }

  String clientId() {
    return clientId;
  }

  State state() {
    return hooks.state();
  }

  DrainReport drainReport() {
    return ending.report();
  }

  /** Completes when it has ended, and the hooks have been told; exceptionally if the daemon refused. */
  CompletableFuture<Void> closed() {
    return closed;
  }

  boolean settle(Held held, Verdict verdict) {
    if (!held.decide(verdict)) return false;
    if (settlements.push(held)) post(this::flush);
    if (options.confirm() && closed.isDone()) held.confirmation.outcome.complete(Outcome.FAILED);
    inbox.leaveLane(held);
    return true;
  }

  void inProgress(Held held) {
    held.leasedAt = System.currentTimeMillis();
    post(
        () -> {
          enterSettlements();
          if (held.settled || !ledger.knows(held) || held.progressIn > outbox.taken()) return;
          held.progressIn = outbox.addInProgress(held.id);
          ledger.tellInProgress(held);
          write();
        });
  }

  Instant deadline(Held held) {
    Duration lease = maxLease;
    Instant drain = ending.deadline();
    if (lease.isZero()) return drain;
    Instant end = Instant.ofEpochMilli(held.leasedAt).plus(lease);
    return end.isBefore(drain) ? end : drain;
  }

  /** {@code timeout}: null, for the daemon's. {@code handBack}: what waits, whatever the options say. */
  void startDrain(Duration timeout, boolean handBack) {
    post(
        () -> {
          if (!ending.want(Ending.Wish.DRAIN)) return;
          ending.timeout(timeout);
          handsBack |= handBack;
          onWish();
        });
  }

  void startStop() {
    inbox.pause();
    post(
        () -> {
          if (ending.want(Ending.Wish.STOP)) onWish();
        });
  }

  /** A fetch waits for {@code messages}; 0: none does. */
  void want(int messages) {
    post(() -> onWant(messages));
  }

  void onThrown(Throwable error) {
    thrown.incrementAndGet();
    hooks.tellThrown(error);
  }

  void onForgotten(Held held) {
    if (settle(held, Verdict.NAK) && !held.cancelled) hooks.tellForgotten(held);
  }

  Stats stats() {
    try {
      return loop.inEventLoop() ? countedStats() : loop.submit(this::countedStats).syncUninterruptibly().getNow();
    } catch (RejectedExecutionException e) {
      return countedStats(); // the client is closed: nothing is counted any more
    }
  }

  private void tellStatsFromNowOn() {
    hooks.tellStats(countedStats());
    if (!over) loop.schedule(this::tellStatsFromNowOn, TELL_STATS, TimeUnit.NANOSECONDS);
  }

  private Stats countedStats() {
    enterSettlements();
    return ledger.counts().toStats(thrown.get());
  }

  private void post(Runnable action) {
    try {
      loop.execute(action);
    } catch (RejectedExecutionException e) {
      LOG.log(System.Logger.Level.TRACE, "the client is closed: nobody is left to tell");
    }
  }

  // -----------------------------------------------------------------------------------------------------------------
  // Streams come and go

  private void openStream() {
    boolean kept = ending.stillKept();
    ending.onConnecting();
    stream = new Stream(this, transport.newCall());
    outbox.open(openRequest(kept));
    patience.awaitOpened();
    stream.start();
    if (!ending.serves()) followWish();
    write();
  }

  private ConsumeRequest openRequest(boolean kept) {
    Open.Builder open =
        Open.newBuilder()
            .setConsumer(consumer)
            .setClientId(clientId)
            .setMaxBatch(options.maxBatch())
            .setCredit(creditOf(ending.serves() ? creditMessages() : 0))
            .setConfirmSettlements(options.confirm())
            .setResumable(options.resumable());
    ledger.nameHeld(kept, open);
    return ConsumeRequest.newBuilder().setOpen(open).build();
  }

  private int creditMessages() {
    if (!onDemand) return credit.messages();
    if (wanted == 0) return 0;
    // Messages count until they are settled; those that wait here already are for the fetch as well.
    long held = ledger.counts().inFlight - ledger.waiting();
    return (int) Math.min(held + wanted, Limits.CREDIT_MESSAGES);
  }

  private Credit.Builder creditOf(int messages) {
    return Credit.newBuilder().setMessages(messages).setBytes(options.creditBytes());
  }

  private void giveUp(String reason) {
    if (!ending.serves()) ending.want(Ending.Wish.STOP); // a drain has had its time
    if (stream != null) stream.cancel(reason);
  }

  void onEnded(Stream ended, Status end) {
    if (ended != stream) return;
    enterSettlements();
    inbox.pause();
    ending.onEnded();
    ledger.onStreamEnded();
    outbox.close();
    patience.stop();
    stream = null;
    if (ending.isLast(end)) {
      close(end);
    } else {
      hooks.tellState(State.CONNECTING, end.isOk() ? "the stream has ended" : describe(end));
      retry.await(ending.lived());
    }
  }

  /** For people. Of a failed connection gRPC says "io exception", and Netty a file not found without its name. */
  private String describe(Status end) {
    String what = end.getDescription() == null ? end.getCode().toString() : end.getDescription();
    if (!(end.getCause() instanceof IOException cause)) return what;
    String reason = cause instanceof FileNotFoundException ? "no such file" : cause.getMessage();
    return "cannot reach the daemon at " + address + (reason == null ? "" : ": " + reason);
  }

  private void close(Status end) {
    over = true;
    inbox.close();
    ledger.close();
    if (hooks.wantStats()) hooks.tellStats(countedStats());
    Status result = ending.serves() ? end : Status.OK;
    if (result.isOk()) {
      hooks.tellState(State.CLOSED, "");
      hooks.execute(() -> closed.complete(null));
      return;
    }
    SluiceException error = new SluiceException(result.getCode(), describe(result), result.getCause());
    hooks.tellError(error);
    hooks.tellState(State.CLOSED, error.getMessage());
    hooks.execute(() -> closed.completeExceptionally(error));
  }

  // -----------------------------------------------------------------------------------------------------------------
  // What the app wants

  private void onWish() {
    if (over) return;
    if (stream != null) {
      followWish();
      write();
      return;
    }
    retry.cancel();
    if (ending.isLast(Status.OK)) {
      close(Status.OK);
    } else {
      openStream();
    }
  }

  /** Tells the daemon what the app wants now. A drain waits for Opened, which comes back to it. */
  private void followWish() {
    enterSettlements();
    if (ending.stops()) {
      outbox.finish();
      patience.awaitEnd();
    } else if (!ledger.connected()) {
      patience.awaitOpenedToEnd();
    } else {
      Duration timeout = ending.timeout();
      Drain.Builder drain = Drain.newBuilder();
      if (timeout != null) drain.setTimeout(Wire.duration(timeout));
      outbox.add(ConsumeRequest.newBuilder().setDrain(drain).build());
      if (handsBack) ledger.handBack(); // only now: before the drain it would be given to this app again
      patience.awaitDrained(timeout);
    }
  }

  private void onWant(int messages) {
    enterSettlements();
    wanted = messages;
    if (messages == 0) loop.schedule(this::giveBackUnwanted, UNWANTED, TimeUnit.NANOSECONDS);
    offerCredit();
    write();
  }

  private void offerCredit() {
    if (!ending.serves() || !ledger.connected()) return;
    outbox.add(ConsumeRequest.newBuilder().setCredit(creditOf(creditMessages())).build());
  }

  private void giveBackUnwanted() {
    if (wanted > 0 || over) return;
    enterSettlements();
    ledger.handBack();
    write();
  }

  // -----------------------------------------------------------------------------------------------------------------
  // What the daemon says

  void onResponse(Stream from, ConsumeResponse response) {
    if (from != stream) return;
    enterSettlements();
    switch (response.getKindCase()) {
      case OPENED -> onOpened(response.getOpened());
      case DELIVERIES -> onDeliveries(response.getDeliveries());
      case SETTLE_RESULTS -> results.take(response.getSettleResults());
      case STATE -> hooks.tellState(Wire.state(response.getState().getKind()), response.getState().getDetail());
      case LEASES_ENDED -> ledger.onLeasesEnded(response.getLeasesEnded().getIdsList());
      case DRAINING -> onDraining(response.getDraining());
      case DRAINED -> onDrained(Wire.report(response.getDrained().getReport()));
      default -> LOG.log(System.Logger.Level.DEBUG, "a later daemon says what this client does not know");
    }
    write();
  }

  private void onOpened(Opened opened) {
    Map<Long, Long> resumed = new HashMap<>();
    for (Resumed one : opened.getResumedList()) resumed.put(one.getHeldId(), one.getId());
    ledger.onOpened(resumed);
    ledger.counts().refused += opened.getRefusedCount();
    maxLease = Wire.duration(opened.getMaxLease());
    ending.onOpened();
    patience.stop();
    if (!ending.stops()) inbox.resume();
    if (!ending.serves()) followWish();
    if (onDemand) offerCredit(); // a fetch may have come or gone since Open
  }

  private void onDeliveries(Deliveries deliveries) {
    if (!ledger.connected()) return; // before Opened: not this contract
    Frame frame = new Frame(this, deliveries.getDeliveriesList());
    long before = ledger.counts().inFlight;
    ledger.accept(frame);
    if (onDemand) {
      wanted = Math.max(0, wanted - frame.unsettled);
      if (wanted == 0) loop.schedule(this::giveBackUnwanted, UNWANTED, TimeUnit.NANOSECONDS);
    } else if (credit.update(System.nanoTime(), ledger.counts().settled(), mayWaitForKeys(frame) ? 0 : before)) {
      offerCredit();
    }
    if (ending.drains() && handsBack) ledger.handBack(); // it was on its way when the drain began
    inbox.push(frame);
  }

  /** While handlers have nothing to do. */
  private boolean mayWaitForKeys(Frame frame) {
    return options.concurrency() > 1 && (frame.keyed || options.key() != null);
  }

  private void onDraining(io.sluice.v1.Draining draining) {
    boolean byDaemon = draining.getReason() == io.sluice.v1.Draining.Reason.REASON_DAEMON;
    Instant deadline = draining.hasDeadline() ? Wire.instant(draining.getDeadline()) : Instant.MAX;
    if (draining.hasDeadline()) {
      ending.onDraining(deadline);
      Duration left = Duration.between(Instant.now(), deadline);
      if (!ending.stops()) patience.awaitDrained(left);
      Stream current = stream;
      // What would start later is given back by the daemon.
      loop.schedule(() -> pauseIf(current), Math.max(0, left.toMillis()), TimeUnit.MILLISECONDS);
    }
    hooks.tellDraining(new Draining(byDaemon, deadline));
  }

  private void pauseIf(Stream current) {
    if (stream == current) inbox.pause();
  }

  private void onDrained(DrainReport report) {
    ending.onDrained(report);
    inbox.pause();
    ledger.onDrained();
    hooks.tellDrained(report);
  }

  void onWritable(Stream from) {
    if (from == stream) flush();
  }

  // -----------------------------------------------------------------------------------------------------------------
  // Verdicts, and writing

  private void flush() {
    enterSettlements();
    write();
  }

  private void enterSettlements() {
    Held held = settlements.takeAll();
    if (held == null) return;
    while (held != null) {
      Held next = held.nextSettled;
      held.nextSettled = null;
      ledger.settle(held);
      held = next;
    }
    if (onDemand && wanted > 0) offerCredit();
  }

  private void write() {
    if (stream == null) return;
    while (stream.writable()) {
      ConsumeRequest request = outbox.poll();
      if (request == null) break;
      stream.write(request);
    }
    if (outbox.pollFinish()) stream.halfClose();
  }

  @Override
  public void tell(long id, Verdict verdict) {
    outbox.addVerdict(id, verdict);
  }

  @Override
  public void cancel(Held held) {
    held.cancel(hooks);
  }

  @Override
  public void resolve(Confirmation confirmation, Outcome outcome) {
    hooks.execute(() -> confirmation.outcome.complete(outcome));
  }
}
