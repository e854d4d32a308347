package dev.vfio.migration.vfio.workload;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A hostile workload that is a process and a user of its own. It declares one window, and all the
 * while puts one thing after another in the place of its file.
 */
final class Tenant implements AutoCloseable {
  private final Process process;

  /**
   * Starts it and waits until it can be reached.
   *
   * @param folder that everybody can read: its program is put there
   * @param user id it runs as
   * @param window path that it declares
   * @param place where the things are put; null for nowhere
   * @param things its own, in the folder of the place
   */
  Tenant(Path folder, int user, Path socket, Path window, Path place, Path... things)
      throws IOException {
    String program = Tenant.class.getName().replace('.', '/') + ".class";
    Path classes = folder.resolve("classes");
    Files.createDirectories(classes.resolve(program).getParent());
    try (InputStream bytes = Tenant.class.getClassLoader().getResourceAsStream(program)) {
      Files.copy(bytes, classes.resolve(program), StandardCopyOption.REPLACE_EXISTING);
    }
    List<String> command = new ArrayList<>();
    if (user != (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid")) {
      command.addAll(
          List.of("setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--"));
    }
    command.addAll(
        List.of(
            ProcessHandle.current().info().command().orElse("java"),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classes.toString(),
            Tenant.class.getName(),
            socket.toString(),
            window.toString()));
    if (place != null) {
      command.add(place.toString());
      for (Path thing : things) {
        command.add(thing.toString());
      }
    }
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String said =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))
            .readLine();
    if (!"READY".equals(said)) {
      process.destroyForcibly();
      throw new IOException("the tenant did not start: " + said);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
  }

  public static void main(String[] arguments) throws IOException {
    ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(arguments[0]));
    Thread server = new Thread(() -> serve(listener, arguments[1]));
    server.start();
    System.out.println("READY");
    while (arguments.length > 2) {
      for (int i = 3; i < arguments.length; i++) {
        Path thing = Path.of(arguments[i]);
        Path place = Path.of(arguments[2]);
        Files.move(thing, place, StandardCopyOption.ATOMIC_MOVE);
        Files.move(place, thing, StandardCopyOption.ATOMIC_MOVE);
      }
    }
  }

  private static void serve(ServerSocketChannel listener, String window) {
    String answer =
        "{\"ok\":true,\"protocol\":1,\"workload\":\"w\",\"state\":\"running\",\"device\":\"gpu-0\","
            + "\"windows\":[{\"name\":\"ring\",\"iova\":0,\"size\":4096,\"file\":\""
            + window
            + "\"}]}\n";
    while (true) {
      try (SocketChannel client = listener.accept();
          BufferedReader lines =
              new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
        while (lines.readLine() != null) {
          client.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.UTF_8)));
        }
      } catch (IOException ended) {
        System.err.println("a client has ended: " + ended);
      }
    }
  }
}
