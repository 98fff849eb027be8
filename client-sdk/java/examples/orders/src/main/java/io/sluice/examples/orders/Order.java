package io.sluice.examples.orders;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;

/**
 * A customer's order, as in {@code {"id": "A-17", "item": "tea", "quantity": 3}}.
 *
 * @param id names it, however often it is sent
 * @param item what is ordered
 * @param quantity how many of it
 */
record Order(String id, String item, int quantity) {
  private static final Gson GSON = new Gson();

  private static final class Json {
    String id;
    String item;
    int quantity;
  }

  static Order parse(String text) {
    Json json;
    try {
      json = GSON.fromJson(text, Json.class);
    } catch (JsonParseException e) {
      throw new IllegalArgumentException("no JSON", e);
    }
    if (json == null || json.id == null || json.id.isBlank()) throw new IllegalArgumentException("it has no id");
    if (json.item == null || json.item.isBlank()) throw new IllegalArgumentException(json.id + " has no item");
    if (json.quantity <= 0) throw new IllegalArgumentException(json.id + " has no quantity");
    return new Order(json.id, json.item, json.quantity);
  }
}
