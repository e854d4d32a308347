package dev.vfio.migration.vfio.workload;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;

/**
 * The workload protocol, version 1: one JSON object a line in each direction over a Unix socket,
 * one answer to each request, a line of at most 64 KiB.
 *
 * <p>Connects with the first request. Where an earlier connection has ended meanwhile, a request is
 * made once more over a new one: every request may be repeated. {@link #close()} may come from any
 * thread and ends a request that waits; everything else is for one thread at a time.
 */
public final class WorkloadSocket implements Workload {
  static final int MOST_LINE_BYTES = 64 << 10;

  private static final int PROTOCOL = 1;
  private static final int LONGEST_QUOTE = 500;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path socket;
  private final int pageSize;
  private final Duration timeout;
  private final ByteBuffer line = ByteBuffer.allocateDirect(MOST_LINE_BYTES);
  private volatile UnixStream stream;
  private volatile boolean closed;

  /**
   * Does no I/O.
   *
   * @param socket of the workload
   * @param pageSize bytes of a page
   * @param timeout for each request; a workload may need long to stand still
   */
  public WorkloadSocket(Path socket, int pageSize, Duration timeout) {
    this.socket = socket;
    this.pageSize = pageSize;
    this.timeout = timeout;
  }

  /**
   * What the workload says of itself, checked.
   *
   * @throws WorkloadException where it cannot be reached, or declares what cannot be used
   */
  @Override
  public WorkloadDescription describe() throws IOException {
    JsonNode answer = ask("describe", null);
    if (answer.path("protocol").asInt() != PROTOCOL) {
      throw failed(
          0,
          "speaks protocol "
              + quoted(answer.path("protocol").toString())
              + "; this agent speaks "
              + PROTOCOL
              + ". Nothing was asked of it.",
          null);
    }
    try {
      return new WorkloadDescription(
          quoted(answer.path("workload").asText()),
          stateOf(answer),
          quoted(answer.path("device").asText()),
          DeclaredWindows.read(answer.path("windows"), pageSize, connected().peerUser()));
    } catch (DeclaredWindows.UnusableException unusable) {
      throw failed(
          0,
          "declares memory that cannot be moved: "
              + unusable.getMessage()
              + ". Nothing was asked of it; mend its declaration.",
          unusable);
    }
  }

  private WorkloadState stateOf(JsonNode answer) throws WorkloadException {
    String state = answer.path("state").asText();
    for (WorkloadState known : WorkloadState.values()) {
      if (known.name().toLowerCase(Locale.ROOT).equals(state)) {
        return known;
      }
    }
    throw failed(0, "says that it is in the state \"" + quoted(state) + "\"", null);
  }

  @Override
  public void pause(String migration) throws IOException {
    ask("pause", migration);
  }

  @Override
  public void resume(String migration) throws IOException {
    ask("resume", migration);
  }

  @Override
  public void take(String migration) throws IOException {
    ask("take", migration);
  }

  @Override
  public void release(String migration) throws IOException {
    ask("release", migration);
  }

  private JsonNode ask(String operation, String migration) throws IOException {
    ObjectNode request = JSON.createObjectNode().put("op", operation);
    if (migration != null) {
      request.put("migration", migration);
    }
    JsonNode answer = parse(operation, answerTo(operation, request));
    if (answer.path("ok").asBoolean(false)) {
      return answer;
    }
    int errno = answer.path("errno").asInt(0);
    throw failed(
        errno,
        "refused \""
            + operation
            + "\""
            + (migration == null ? "" : " for migration " + migration)
            + ": "
            + quoted(answer.path("error").asText("no reason given"))
            + (errno == 0 ? "" : ", " + Errno.describe(errno))
            + ". It counts as being as before.",
        null);
  }

  private String answerTo(String operation, ObjectNode request) throws IOException {
    byte[] text = (request + "\n").getBytes(StandardCharsets.UTF_8);
    if (text.length > MOST_LINE_BYTES) {
      throw new IllegalArgumentException("a request of " + text.length + " bytes");
    }
    ByteBuffer bytes = ByteBuffer.allocateDirect(text.length).put(text);
    boolean usedBefore = stream != null;
    long deadline = System.nanoTime() + timeout.toNanos();
    try {
      return exchange(bytes, deadline);
    } catch (ErrnoException failure) {
      dropConnection();
      if (!usedBefore || failure.is(Errno.EAGAIN) || closed) {
        throw notAnswered(operation, failure);
      }
    }
    try {
      return exchange(bytes, deadline);
    } catch (ErrnoException failure) {
      dropConnection();
      throw notAnswered(operation, failure);
    }
  }

  private String exchange(ByteBuffer request, long deadline) throws IOException {
    UnixStream connection = connected();
    awaitAtMostUntil(deadline, connection);
    connection.send(request.rewind(), ByteBuffer.allocateDirect(0));
    line.clear();
    int searched = 0;
    while (true) {
      awaitAtMostUntil(deadline, connection);
      if (connection.receive(line, ByteBuffer.allocateDirect(0), false, null) == 0) {
        throw new ErrnoException("receiving the answer", Errno.ECONNRESET.number());
      }
      for (; searched < line.position(); searched++) {
        if (line.get(searched) == '\n') {
          return lineOf(searched);
        }
      }
      if (!line.hasRemaining()) {
        dropConnection();
        throw failed(0, "sent a line longer than " + MOST_LINE_BYTES + " bytes", null);
      }
    }
  }

  /** Has the next call on the socket wait no longer than until then. */
  private static void awaitAtMostUntil(long deadline, UnixStream connection) throws ErrnoException {
    long left = deadline - System.nanoTime();
    if (left <= 0) {
      throw new ErrnoException("waiting for the workload", Errno.EAGAIN.number());
    }
    connection.timeout(Duration.ofNanos(left));
  }

  private String lineOf(int end) throws WorkloadException {
    if (line.position() != end + 1) {
      dropConnection();
      throw failed(0, "sent more than one line for one request", null);
    }
    byte[] text = new byte[end];
    line.get(0, text);
    return new String(text, StandardCharsets.UTF_8);
  }

  private JsonNode parse(String operation, String text) throws WorkloadException {
    try {
      JsonNode answer = JSON.readTree(text);
      if (answer.isObject()) {
        return answer;
      }
    } catch (JsonProcessingException malformed) {
      throw failed(
          0, "answered \"" + operation + "\" with what is no JSON: " + quoted(text), malformed);
    }
    throw failed(0, "answered \"" + operation + "\" with no JSON object: " + quoted(text), null);
  }

  private UnixStream connected() throws ErrnoException {
    UnixStream current = stream;
    if (current == null) {
      current = UnixStream.connect(socket, timeout);
      stream = current;
      if (closed) {
        current.close();
      }
    }
    return current;
  }

  private void dropConnection() {
    UnixStream current = stream;
    stream = null;
    if (current != null) {
      current.close();
    }
  }

  private WorkloadException notAnswered(String operation, ErrnoException failure) {
    boolean late = failure.is(Errno.EAGAIN);
    return failed(
        late ? Errno.ETIMEDOUT.number() : failure.errno(),
        late
            ? "did not answer \""
                + operation
                + "\" within "
                + timeout.toMillis()
                + " ms. Whether it did what was asked is not known; ask again."
            : "cannot be reached for \""
                + operation
                + "\": "
                + failure.getMessage()
                + ". See whether it runs.",
        failure);
  }

  private WorkloadException failed(int errno, String what, Throwable cause) {
    return new WorkloadException(errno, "the workload at " + socket + " " + what, cause);
  }

  private static String quoted(String text) {
    String printable = text.replaceAll("\\p{Cntrl}", "?");
    return printable.length() <= LONGEST_QUOTE
        ? printable
        : printable.substring(0, LONGEST_QUOTE) + "...";
  }

  @Override
  public void close() {
    closed = true;
    dropConnection();
  }
}
