package io.sluice.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** A process with its log in a file; ended when it is closed. */
public final class Program implements AutoCloseable {
  private static final long PATIENCE = 30; // seconds

  private final Process process;
  private final Path log;

  private Program(Process process, Path log) {
    this.process = process;
    this.log = log;
  }

  /**
   * Starts it.
   *
   * @param log where its output goes
   * @param environment in addition to this process's
   * @param command the program and its arguments
   * @return running
   */
  public static Program start(Path log, Map<String, String> environment, List<String> command) {
    try {
      ProcessBuilder builder =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
      builder.environment().putAll(environment);
      return new Program(builder.start(), log);
    } catch (IOException e) {
      throw new IllegalStateException("cannot start " + command, e);
    }
  }

  /**
   * Waits until something holds, as long as the process lives.
   *
   * @param what for the error
   * @param condition asked every 10 ms
   */
  public void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
    while (!condition.getAsBoolean()) {
      if (!process.isAlive()) throw new IllegalStateException(what + ": it has exited. " + log());
      if (System.nanoTime() > deadline) throw new IllegalStateException(what + ": not within " + PATIENCE + " s. " + log());
      pause();
    }
  }

  /**
   * SIGTERM, and its end.
   *
   * @return the exit code
   */
  public int terminate() {
    process.destroy();
    return awaitExit();
  }

  /** SIGKILL, and its end. */
  public void kill() {
    process.destroyForcibly();
    awaitExit();
  }

  private int awaitExit() {
    try {
      if (!process.waitFor(PATIENCE, TimeUnit.SECONDS)) throw new IllegalStateException("it does not end. " + log());
      return process.exitValue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * What it has said.
   *
   * @return all of it
   */
  public String log() {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return "no log: " + e;
    }
  }

  private static void pause() {
    try {
      Thread.sleep(10);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    if (process.isAlive()) kill();
  }
}
