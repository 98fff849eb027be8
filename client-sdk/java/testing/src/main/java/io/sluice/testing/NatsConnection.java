package io.sluice.testing;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** As much of the NATS protocol as a test needs: requests, one at a time. */
public final class NatsConnection implements AutoCloseable {
  private static final int PATIENCE = 20_000; // milliseconds

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;

  NatsConnection(int port) {
    try {
      socket = new Socket(InetAddress.getLoopbackAddress(), port);
      socket.setSoTimeout(PATIENCE);
      in = new BufferedInputStream(socket.getInputStream());
      out = new BufferedOutputStream(socket.getOutputStream());
      line(); // INFO
      send("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB _INBOX.test 1\r\n");
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Creates a stream.
   *
   * @param name its name
   * @param subjects what it stores, as in {@code orders.>}
   */
  public void createStream(String name, String subjects) {
    request(
        "$JS.API.STREAM.CREATE." + name,
        "{\"name\":\"" + name + "\",\"subjects\":[\"" + subjects + "\"],\"storage\":\"file\"}");
  }

  /**
   * Publishes, and waits until JetStream has stored it.
   *
   * @param subject where
   * @param data what
   */
  public void publish(String subject, String data) {
    request(subject, data);
  }

  /**
   * How many messages a consumer has not settled: pending, and with apps.
   *
   * @param stream of the consumer
   * @param consumer the durable
   * @return 0: all are settled
   */
  public long unsettled(String stream, String consumer) {
    String info = request("$JS.API.CONSUMER.INFO." + stream + "." + consumer, "");
    return number(info, "num_pending") + number(info, "num_ack_pending");
  }

  private static long number(String json, String field) {
    int begin = json.indexOf("\"" + field + "\":") + field.length() + 3;
    int end = begin;
    while (Character.isDigit(json.charAt(end))) end++;
    return Long.parseLong(json.substring(begin, end));
  }

  private String request(String subject, String data) {
    try {
      byte[] bytes = data.getBytes(StandardCharsets.UTF_8);
      send("PUB " + subject + " _INBOX.test " + bytes.length + "\r\n" + data + "\r\n");
      String reply = reply();
      if (reply.contains("\"error\"")) throw new IllegalStateException(subject + ": " + reply);
      return reply;
    } catch (IOException e) {
      throw new IllegalStateException(subject, e);
    }
  }

  private void send(String protocol) throws IOException {
    out.write(protocol.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  private String reply() throws IOException {
    while (true) {
      String line = line();
      if (line.equals("PING")) send("PONG\r\n");
      if (line.startsWith("HMSG")) throw new IOException("no responders: is JetStream on, and the stream there?");
      if (!line.startsWith("MSG ")) continue;
      int size = Integer.parseInt(line.substring(line.lastIndexOf(' ') + 1));
      String payload = new String(in.readNBytes(size), StandardCharsets.UTF_8);
      line();
      return payload;
    }
  }

  private String line() throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) throw new IOException("nats-server has closed the connection");
      if (next != '\r') line.write(next);
    }
    return line.toString(StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
