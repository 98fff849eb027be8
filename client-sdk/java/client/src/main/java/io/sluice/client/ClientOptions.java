package io.sluice.client;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import java.time.Duration;
import java.util.Objects;

/**
 * How to reach the daemon. Immutable: each setter returns a changed copy.
 *
 * <pre>{@code
 * Client client = Client.create(ClientOptions.defaults().address("localhost:7422"));
 * }</pre>
 */
public final class ClientOptions {
  private static final String DEFAULT_ADDRESS = "unix:///run/sluice/sluice.sock";
  private static final ClientOptions DEFAULTS = new ClientOptions();

  private String address = "";
  private String clientId = "";
  private ChannelCredentials credentials = InsecureChannelCredentials.create();
  private Duration firstRetry = Duration.ofMillis(100);
  private Duration longestRetry = Duration.ofSeconds(5);

  private ClientOptions() {}

  private ClientOptions(ClientOptions from) {
    address = from.address;
    clientId = from.clientId;
    credentials = from.credentials;
    firstRetry = from.firstRetry;
    longestRetry = from.longestRetry;
  }

  /**
   * What fits a daemon in the same pod.
   *
   * @return the defaults, as documented at each setter
   */
  public static ClientOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Where the daemon listens, as gRPC spells it: {@code unix:///run/sluice/sluice.sock}, {@code localhost:7422}.
   *
   * @param address default: {@code $SLUICE_ADDRESS}, else {@code unix:///run/sluice/sluice.sock}
   * @return a changed copy
   */
  public ClientOptions address(String address) {
    ClientOptions copy = new ClientOptions(this);
    copy.address = Objects.requireNonNull(address, "address");
    return copy;
  }

  /**
   * Names this app instance, so that after a reconnect it keeps what it holds. Two live apps must not share one.
   *
   * @param clientId at most 128 bytes; default: host-pid-random
   * @return a changed copy
   */
  public ClientOptions clientId(String clientId) {
    ClientOptions copy = new ClientOptions(this);
    copy.clientId = Objects.requireNonNull(clientId, "clientId");
    return copy;
  }

  /**
   * How the connection is secured.
   *
   * @param credentials default: not at all, as fits a socket in the same pod
   * @return a changed copy
   */
  public ClientOptions credentials(ChannelCredentials credentials) {
    ClientOptions copy = new ClientOptions(this);
    copy.credentials = Objects.requireNonNull(credentials, "credentials");
    return copy;
  }

  /**
   * Waiting times between attempts to connect; they double from the first to the longest, each shortened at random by
   * up to a quarter. A stream that had lived is retried at once first.
   *
   * @param first default: 100 ms
   * @param longest default: 5 s
   * @return a changed copy
   */
  public ClientOptions retry(Duration first, Duration longest) {
    ClientOptions copy = new ClientOptions(this);
    copy.firstRetry = Limits.positive(first, "first");
    copy.longestRetry = Limits.positive(longest, "longest");
    return copy;
  }

  String address() {
    if (!address.isEmpty()) return address;
    String environment = System.getenv("SLUICE_ADDRESS");
    return environment == null || environment.isEmpty() ? DEFAULT_ADDRESS : environment;
  }

  String clientId() {
    return clientId;
  }

  ChannelCredentials credentials() {
    return credentials;
  }

  Duration firstRetry() {
    return firstRetry;
  }

  Duration longestRetry() {
    return longestRetry;
  }
}
