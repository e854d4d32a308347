package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.PassedDescriptors;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A workload that waits, as a process of its own: it holds what it is handed. Each line it is given
 * is one thing to do; it says a line when that is done.
 */
final class WaitingProgram {
  private static final List<Descriptor> HELD = new ArrayList<>();

  private WaitingProgram() {}

  /** That process, seen from a test. */
  static final class Running implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;

    Running(Path socket) throws IOException {
      process =
          new ProcessBuilder(
                  ProcessHandle.current().info().command().orElse("java"),
                  "-XX:TieredStopAtLevel=1",
                  "-cp",
                  System.getProperty("java.class.path"),
                  WaitingProgram.class.getName(),
                  socket.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      output =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    long pid() {
      return process.pid();
    }

    void tell(String what) throws IOException {
      process.outputWriter().write(what + "\n");
      process.outputWriter().flush();
    }

    String line() throws IOException {
      return output.readLine();
    }

    String ask(String what) throws IOException {
      tell(what);
      return line();
    }

    void kill() throws InterruptedException {
      process.destroyForcibly();
      process.waitFor(60, TimeUnit.SECONDS);
    }

    @Override
    public void close() throws InterruptedException {
      kill();
    }
  }

  public static void main(String[] arguments) throws IOException {
    Path socket = Path.of(arguments[0]);
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    TestClient client = null;
    for (String order = orders.readLine(); order != null; order = orders.readLine()) {
      String[] words = order.split(" ");
      switch (words[0]) {
        case "wait" -> {
          client = TestClient.waitAt(socket, words.length > 1 ? words[1] : null);
          System.out.println("waits");
        }
        case "hear" -> {
          JsonNode request = client.next();
          System.out.println(request == null ? "end" : request.path("op").asText());
          // Kept beyond the connection, as a workload does.
          HELD.addAll(client.descriptors());
          client.descriptors().clear();
        }
        case "hear-all" -> {
          System.out.println(client.next());
          HELD.addAll(client.descriptors());
          client.descriptors().clear();
        }
        case "name" -> System.out.println(OpenFile.name(HELD.get(Integer.parseInt(words[1]))));
        case "content" -> {
          byte[] content = Files.readAllBytes(OpenFile.path(HELD.get(Integer.parseInt(words[1]))));
          System.out.println(new String(content, StandardCharsets.UTF_8).replace("\0", ""));
        }
        case "count" -> System.out.println(HELD.size());
        case "open" -> {
          HELD.add(PassedDescriptors.open(Path.of(words[1]), true));
          System.out.println("opened");
        }
        case "ok" -> {
          client.ok();
          System.out.println("said");
        }
        case "let-go" -> {
          HELD.forEach(Descriptor::close);
          HELD.clear();
          System.out.println("let go");
        }
        case "refuse" -> {
          client.say("{\"ok\":false,\"errno\":12,\"error\":\"cannot map ring\"}");
          System.out.println("refused");
        }
        case "leave" -> {
          client.close();
          System.out.println("left");
        }
        default -> throw new IllegalArgumentException(order);
      }
    }
  }
}
