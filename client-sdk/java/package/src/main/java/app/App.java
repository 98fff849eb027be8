package app;

import io.sluice.client.Client;
import io.sluice.client.ConsumeOptions;
import io.sluice.client.Consumption;
import io.sluice.client.State;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Uses the published client where there is no daemon: that is told, and nothing hangs. */
public final class App {
  public static void main(String[] arguments) throws InterruptedException {
    CountDownLatch told = new CountDownLatch(1);
    ConsumeOptions options =
        ConsumeOptions.defaults()
            .onState(
                (state, detail) -> {
                  System.out.println(state + " " + detail);
                  if (state == State.CONNECTING && detail.contains("nowhere.sock")) told.countDown();
                });
    try (Client client = Client.create()) {
      Consumption consumption = client.consume("orders", options, m -> {});
      if (!told.await(20, TimeUnit.SECONDS)) throw new IllegalStateException("it is not told that no daemon is there");
      if (consumption.drain().completed()) throw new IllegalStateException("a drain without a daemon");
    }
    System.out.println("installed");
  }
}
