package dev.vfio.migration.vfio.workload;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A workload that is a process of its own and waits; it ends with SIGKILL. */
final class ListeningProgram implements AutoCloseable {
  private final Process process;

  /** Returns once it listens. */
  ListeningProgram(Path socket) throws IOException {
    this(socket, "[]");
  }

  /**
   * @param windows that it declares, as JSON
   */
  ListeningProgram(Path socket, String windows) throws IOException {
    process =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElse("java"),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                ListeningProgram.class.getName(),
                socket.toString(),
                windows)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    if (process.getInputStream().read() != 'l') {
      throw new IOException("it does not listen");
    }
  }

  long pid() {
    return process.pid();
  }

  @Override
  public void close() throws InterruptedException {
    process.destroyForcibly();
    process.waitFor(60, TimeUnit.SECONDS);
  }

  public static void main(String[] arguments) throws IOException {
    Path socket = Path.of(arguments[0]);
    String device = socket.getParent().getFileName().toString();
    try (ScriptedWorkload workload =
        new ScriptedWorkload(socket, device, line -> "{\"ok\":true}\n")) {
      workload.describing(
          ScriptedWorkload.descriptionOf(device, arguments[1]).replace("running", "waiting"));
      System.out.write('l');
      System.out.flush();
      // Until the test ends it, or has ended itself.
      System.in.read();
    }
  }
}
