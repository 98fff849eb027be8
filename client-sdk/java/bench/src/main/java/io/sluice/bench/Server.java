package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** One of the daemon's bench programs, on a Unix socket of its own, until it is closed. */
final class Server implements AutoCloseable {
  private final Process process;
  private final Path folder;

  private Server(Process process, Path folder) {
    this.process = process;
    this.folder = folder;
  }

  /** A bare gRPC server of canned frames. */
  static Server floor(Path programs, int payloadBytes, int credit) throws IOException {
    Path folder = Files.createTempDirectory("sluice-bench");
    return start(folder, programs.resolve("bench_floor"), address(folder), payloadBytes, credit);
  }

  /** The daemon, with an upstream that costs nothing. */
  static Server stubDaemon(Path programs, int payloadBytes) throws IOException {
    Path folder = Files.createTempDirectory("sluice-bench");
    return start(folder, programs.resolve("bench_stub_daemon"), folder.resolve("s.sock"), payloadBytes);
  }

  private static Server start(Path folder, Path program, Object... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    for (Object argument : arguments) command.add(argument.toString());
    Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String line = output.readLine();
    if (!"ready".equals(line)) throw new IOException(program + " did not start: " + line);
    return new Server(process, folder);
  }

  private static String address(Path folder) {
    return "unix:" + folder.resolve("s.sock");
  }

  String address() {
    return address(folder);
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) process.destroyForcibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) Files.delete(file);
    }
    Files.delete(folder);
  }
}
