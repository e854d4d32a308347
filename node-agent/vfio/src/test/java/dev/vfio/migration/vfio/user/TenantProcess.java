package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.linux.OtherUser;
import dev.vfio.migration.vfio.linux.PassingSocket;
import dev.vfio.migration.vfio.workload.ScriptedWorkload;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A tenant's process of its own, of whatever user: serves a device, or the workload that uses one,
 * and reports what it was asked.
 */
final class TenantProcess implements AutoCloseable {
  private static final String READY = "ready";
  private static final String DEVICE = "device";

  private final Process process;
  private final BufferedReader output;

  private TenantProcess(Process process) {
    this.process = process;
    this.output = process.inputReader(StandardCharsets.UTF_8);
  }

  /** Serves a device at that socket. */
  static TenantProcess device(int user, Path socket) throws IOException {
    return start(Integer.toString(user), socket.toString(), DEVICE);
  }

  /** Serves the workload of the device of that name at that socket. */
  static TenantProcess workload(int user, Path socket, String device) throws IOException {
    return start(Integer.toString(user), socket.toString(), "workload of", device);
  }

  private static TenantProcess start(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                TenantProcess.class.getName()));
    command.addAll(List.of(arguments));
    TenantProcess tenant =
        new TenantProcess(
            new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
    String first = tenant.output.readLine();
    if (!READY.equals(first)) {
      tenant.close();
      throw new IOException("the tenant's process said " + first);
    }
    return tenant;
  }

  /**
   * Ends it and returns what it was asked: lines of the workload protocol, commands of vfio-user.
   */
  List<String> asked() throws IOException {
    process.getOutputStream().close();
    return output.lines().toList();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      if (!process.waitFor(60, TimeUnit.SECONDS)) {
        throw new AssertionError("the tenant's process does not end");
      }
    } catch (InterruptedException interrupted) {
      throw new AssertionError("interrupted while the tenant's process ends", interrupted);
    }
  }

  /** Serves until its input ends. */
  public static void main(String[] arguments) throws Exception {
    // That user may not be able to read the class path.
    Class.forName(PassingSocket.class.getName());
    Class.forName(ScriptedWorkload.class.getName());
    int user = Integer.parseInt(arguments[0]);
    Path socket = Path.of(arguments[1]);
    if (arguments[2].equals(DEVICE)) {
      PassingSocket listener = OtherUser.run(user, () -> PassingSocket.listen(socket));
      try (ScriptedServer server = new ScriptedServer(listener, 4096)) {
        untilAskedToEnd();
        server.commands().forEach(System.out::println);
      }
    } else {
      ServerSocketChannel listener = OtherUser.run(user, () -> ScriptedWorkload.listener(socket));
      try (ScriptedWorkload workload =
          new ScriptedWorkload(listener, arguments[3], line -> "{\"ok\":true}\n")) {
        untilAskedToEnd();
        workload.lines().forEach(System.out::println);
      }
    }
    System.out.flush();
    System.exit(0);
  }

  private static void untilAskedToEnd() throws IOException {
    System.out.println(READY);
    System.out.flush();
    while (System.in.read() >= 0) {
      // What is said does not matter; the end does.
    }
  }
}
