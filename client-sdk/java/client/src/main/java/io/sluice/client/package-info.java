/**
 * Consumes NATS JetStream through the Sluice daemon beside the app: one gRPC stream, no NATS library.
 *
 * <pre>{@code
 * try (Client client = Client.create()) {
 *   client.consume("orders", m -> work(m.data())).run();
 * }
 * }</pre>
 *
 * <p>Start at {@link io.sluice.client.Client}. How it works inside: {@code Session} is one consumption over all its
 * streams, and the only one that decides; it lives on the client's I/O thread, and everybody else posts to it.
 */
package io.sluice.client;
