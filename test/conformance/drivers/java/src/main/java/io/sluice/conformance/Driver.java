package io.sluice.conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.Status;
import io.sluice.client.Client;
import io.sluice.client.ClientOptions;
import io.sluice.client.Consumption;
import io.sluice.client.DrainReport;
import io.sluice.client.Messages;
import io.sluice.client.Fetcher;
import io.sluice.client.Message;
import io.sluice.client.SluiceException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Puts the SDK into the hands of the conformance runner: commands on standard input, events on standard output. */
public final class Driver {
  /** What a command named, until the end of the input. */
  private record Named(Client client, Consumption consumption, Script script) {}

  private final Events events = new Events();
  private final Attempts attempts = new Attempts();
  private final Map<String, Named> named = new ConcurrentHashMap<>();
  private final List<Client> clients = new ArrayList<>();
  private final ExecutorService background = Executors.newCachedThreadPool();

  private Driver() {}

  /**
   * Runs until standard input ends.
   *
   * @param arguments none
   * @throws IOException standard input cannot be read
   */
  public static void main(String[] arguments) throws IOException {
    new Driver().serve();
    System.exit(0); // whatever still runs is to be cut off
  }

  private void serve() throws IOException {
    events.tell("ready", "", Map.of());
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      if (!line.isBlank()) obey(JsonParser.parseString(line).getAsJsonObject());
    }
    for (Client client : clients) client.close();
  }

  private void obey(JsonObject command) {
    String as = command.has("as") ? command.get("as").getAsString() : "";
    switch (command.get("do").getAsString()) {
      case "consume" -> consume(as, command);
      case "fetch" -> background.execute(() -> fetch(as, command));
      case "release" -> attempts.release(command.get("sequence").getAsLong(), command.get("steps").getAsString());
      case "drain" -> background.execute(() -> drain(as, timeoutOf(command)));
      case "stop" -> background.execute(() -> of(as).consumption().stop());
      case "stats" -> events.tell("stats", as, Map.of("stats", Events.stats(of(as).consumption().stats())));
      case "run" -> background.execute(() -> run(as));
      default -> throw new IllegalArgumentException("unknown command: " + command);
    }
  }

  private Named of(String as) {
    Named one = named.get(as);
    if (one == null) throw new IllegalArgumentException("nothing is consumed as " + as);
    return one;
  }

  private static Duration timeoutOf(JsonObject command) {
    return command.has("timeout_ms") ? Duration.ofMillis(command.get("timeout_ms").getAsLong()) : null;
  }

  private void consume(String as, JsonObject command) {
    Settings settings = new Settings(command);
    Client client = Client.create(settings.client(ClientOptions.defaults()));
    clients.add(client);
    Script script = new Script(as, events, attempts, settings.confirm());
    Consumption consumption =
        switch (settings.style()) {
          case "handler" -> client.consume(settings.consumer(), settings.options(as, events), script::handle);
          case "async" -> client.consumeAsync(
              settings.consumer(), settings.options(as, events), m -> script.handleAsync(m, background));
          case "manual" -> client.consume(
              settings.consumer(), settings.options(as, events).manual(true), script::settle);
          case "iterator" -> client.messages(settings.consumer(), settings.options(as, events));
          case "fetch" -> client.fetcher(settings.consumer(), settings.options(as, events));
          default -> throw new IllegalArgumentException("unknown style: " + settings.style());
        };
    named.put(as, new Named(client, consumption, script));
    consumption.closed().whenComplete((end, error) -> tellClosed(as, error));
    if (consumption instanceof Messages messages) {
      background.execute(() -> loop(as, messages, script, settings.breakAfter()));
    }
  }

  private void loop(String as, Messages messages, Script script, int breakAfter) {
    int turns = 0;
    try {
      for (Message message : messages) {
        script.settle(message);
        if (++turns == breakAfter) break;
      }
    } catch (SluiceException refused) {
      return; // `closed` tells
    }
    if (turns == breakAfter) drain(as, null);
  }

  private void fetch(String as, JsonObject command) {
    Named one = of(as);
    try {
      List<Message> messages =
          ((Fetcher) one.consumption())
              .fetch(command.get("n").getAsInt(), Duration.ofMillis(command.get("max_wait_ms").getAsLong()));
      for (Message message : messages) one.script().settle(message);
      events.tell("fetched", as, Map.of("count", messages.size()));
    } catch (InterruptedException | SluiceException e) {
      events.tell("error", as, Map.of("message", String.valueOf(e.getMessage())));
    }
  }

  private void drain(String as, Duration timeout) {
    Consumption consumption = of(as).consumption();
    DrainReport report = timeout == null ? consumption.drain() : consumption.drain(timeout);
    events.tell("drained", as, Map.of("report", Events.report(report)));
  }

  private void run(String as) {
    Consumption consumption = of(as).consumption();
    DrainReport report = consumption.run();
    events.tell("drained", as, Map.of("report", Events.report(report)));
    CompletableFuture<Void> told = consumption.closed().handle((end, error) -> null);
    told.join();
    events.awaitClosed(as);
    System.exit(report.completed() ? 0 : 1);
  }

  private void tellClosed(String as, Throwable error) {
    SluiceException refused = error instanceof SluiceException refusal ? refusal : null;
    Status.Code code = refused == null ? Status.Code.OK : refused.code();
    String message = refused == null ? "" : refused.getMessage();
    events.tell("closed", as, Map.of("code", code.toString(), "message", message));
  }
}
