package io.sluice.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.sluice.client.ClientOptions;
import io.sluice.client.ConsumeOptions;
import io.sluice.client.Message;
import java.util.Map;
import java.util.function.Function;

/** A `consume` command. */
record Settings(JsonObject command) {
  String consumer() {
    return command.get("consumer").getAsString();
  }

  String style() {
    return command.has("style") ? command.get("style").getAsString() : "handler";
  }

  boolean confirm() {
    JsonElement confirm = option("confirm");
    return confirm != null && confirm.getAsBoolean();
  }

  /** 0: never. */
  int breakAfter() {
    JsonElement turns = option("break_after");
    return turns == null ? 0 : turns.getAsInt();
  }

  private JsonElement option(String name) {
    JsonElement options = command.get("options");
    JsonElement value = options == null ? null : options.getAsJsonObject().get(name);
    return value == null || value.isJsonNull() ? null : value;
  }

  ClientOptions client(ClientOptions client) {
    JsonElement id = option("client_id");
    return id == null ? client : client.clientId(id.getAsString());
  }

  ConsumeOptions options(String as, Events events) {
    ConsumeOptions options =
        ConsumeOptions.defaults()
            .confirm(confirm())
            .onState(
                (state, detail) ->
                    events.tell("state", as, Map.of("state", state.toString(), "detail", detail)))
            .onDraining(draining -> events.tell("draining", as, Map.of("by_daemon", draining.byDaemon())))
            .onError(error -> events.tell("error", as, Map.of("message", String.valueOf(error.getMessage()))));
    JsonElement value = option("concurrency");
    if (value != null) options = options.concurrency(value.getAsInt());
    value = option("credit_messages");
    if (value != null) options = options.creditMessages(value.getAsInt());
    value = option("credit_bytes");
    if (value != null) options = options.creditBytes(value.getAsLong());
    value = option("max_batch");
    if (value != null) options = options.maxBatch(value.getAsInt());
    value = option("hand_back");
    if (value != null) options = options.handBack(value.getAsBoolean());
    value = option("resumable");
    if (value != null) options = options.resumable(value.getAsBoolean());
    value = option("remembered");
    if (value != null) options = options.remembered(value.getAsInt());
    value = option("key");
    if (value != null) options = options.key(keyOf(value.getAsString()));
    return options;
  }

  private static Function<Message, Object> keyOf(String key) {
    if (key.equals("subject")) return Message::subject;
    String header = key.substring("header:".length());
    return message -> message.header(header).orElse(null);
  }
}
