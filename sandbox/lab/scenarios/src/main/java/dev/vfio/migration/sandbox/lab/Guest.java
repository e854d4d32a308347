package dev.vfio.migration.sandbox.lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A booted guest that takes commands over a Unix socket (its second serial port). A request is one
 * line {@code ID COMMAND}; the guest runs the command with {@code sh -c} and answers {@code ID|
 * TEXT} for each line of its output and {@code ID= STATUS} at the end, one command after the other.
 * Commands of several threads are sent one at a time.
 */
final class Guest implements AutoCloseable {
  /** The guest's terminal takes no longer line; what is longer belongs in a script. */
  static final int MAX_COMMAND = 2000;

  private final String name;
  private final Path socket;
  private SocketChannel channel;
  private BlockingQueue<Optional<String>> lines;
  private final String session = HexFormat.of().formatHex(randomBytes());
  private int commands;

  /**
   * What a command left behind.
   *
   * @param status exit status of the shell
   * @param lines standard output and standard error
   */
  record Answer(int status, List<String> lines) {
    Answer {
      lines = List.copyOf(lines);
    }

    /** All lines, each ended. */
    String text() {
      return lines.isEmpty() ? "" : String.join("\n", lines) + "\n";
    }
  }

  private Guest(String name, Path socket) {
    this.name = name;
    this.socket = socket;
  }

  /**
   * Connects and waits until the guest takes commands.
   *
   * @throws IOException where nobody listens there, or the guest did not answer in time
   */
  static Guest connect(String name, Path socket, Duration bound)
      throws IOException, InterruptedException {
    Guest guest = new Guest(name, socket);
    guest.open(bound);
    return guest;
  }

  /** Connects again after the guest was booted anew, and waits until it takes commands. */
  synchronized void reconnect(Duration bound) throws IOException, InterruptedException {
    channel.close();
    open(bound);
  }

  private void open(Duration bound) throws IOException, InterruptedException {
    channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    lines = new LinkedBlockingQueue<>();
    try {
      channel.connect(UnixDomainSocketAddress.of(socket));
      SocketChannel read = channel;
      BlockingQueue<Optional<String>> to = lines;
      Thread reader = new Thread(() -> readLines(read, to), "guest-" + name);
      reader.setDaemon(true);
      reader.start();
      expect("true", bound);
    } catch (IOException e) {
      channel.close();
      throw new GuestException(
          "guest %s takes no commands at %s: %s".formatted(name, socket, e.getMessage()), e);
    }
  }

  String name() {
    return name;
  }

  /**
   * Runs a command.
   *
   * @throws GuestException where the guest has ended or did not answer in time; then the command
   *     may still be running there
   */
  synchronized Answer run(String command, Duration bound)
      throws GuestException, InterruptedException {
    if (command.indexOf('\n') >= 0 || command.length() > MAX_COMMAND) {
      throw new IllegalArgumentException("not one line of at most 2000 characters: " + command);
    }
    String id = session + "-" + ++commands;
    send(id + " " + command + "\n", command);
    long deadline = System.nanoTime() + bound.toNanos();
    List<String> output = new ArrayList<>();
    while (true) {
      Optional<String> next =
          lines.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
      if (next == null) {
        throw new GuestException(
            "guest %s did not end within %d s: %s; it said so far: %s"
                .formatted(name, bound.toSeconds(), command, output));
      }
      String line = next.orElseThrow(() -> ended(command, output));
      if (line.startsWith(id + "| ")) {
        output.add(line.substring(id.length() + 2));
      } else if (line.equals(id + "|")) {
        output.add("");
      } else if (line.startsWith(id + "= ")) {
        return new Answer(status(line.substring(id.length() + 2), command), output);
      }
      // Any other line answers an earlier connection, or is a message of the kernel.
    }
  }

  /**
   * Runs a command that must succeed.
   *
   * @return its output
   */
  List<String> expect(String command, Duration bound) throws GuestException, InterruptedException {
    Answer answer = run(command, bound);
    if (answer.status() != 0) {
      throw new GuestException(
          "guest %s: exit status %d of: %s%n%s"
              .formatted(name, answer.status(), command, answer.text()));
    }
    return answer.lines();
  }

  private void send(String request, String command) throws GuestException {
    try {
      ByteBuffer bytes = StandardCharsets.UTF_8.encode(request);
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw new GuestException(
          "guest %s takes no command: %s: %s".formatted(name, command, e.getMessage()), e);
    }
  }

  private int status(String text, String command) throws GuestException {
    try {
      return Integer.parseInt(text.strip());
    } catch (NumberFormatException e) {
      throw new GuestException(
          "guest %s answered with no status but '%s' to: %s".formatted(name, text, command), e);
    }
  }

  private GuestException ended(String command, List<String> output) {
    lines.add(Optional.empty());
    return new GuestException(
        "guest %s has ended or closed its channel during: %s; it said: %s"
            .formatted(name, command, output));
  }

  private static void readLines(SocketChannel channel, BlockingQueue<Optional<String>> lines) {
    // The stream is not closed here: that would close the channel under a thread that still writes.
    BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
    try {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        lines.add(Optional.of(line.replace("\r", "")));
      }
    } catch (IOException closed) {
      lines.add(Optional.of("the channel broke: " + closed.getMessage()));
    } finally {
      lines.add(Optional.empty());
    }
  }

  private static byte[] randomBytes() {
    byte[] bytes = new byte[3];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("the channel of guest " + name + " cannot be closed", e);
    }
  }
}
