package dev.vfio.migration.vfio.workload;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.SocketPeer;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The workload protocol, version 1: one JSON object a line in each direction over a Unix socket,
 * one answer to each request, a line of at most 64 KiB.
 *
 * <p>Connects with the first request. Where an earlier connection has ended meanwhile, a request is
 * made once more over a new one: every request may be repeated. Whoever is at the other end of a
 * new connection first says which device it uses, and is asked for nothing more where that is not
 * the one that it is reached for. {@link #close()} may come from any thread and ends a request that
 * waits; everything else is for one thread at a time.
 */
public final class WorkloadSocket implements Workload {
  static final int MAX_LINE_BYTES = 64 << 10;

  private static final Set<String> MEMBERS =
      Set.of("ok", "protocol", "workload", "state", "device");

  /** How long the answer to a question is waited for while a device waits for its workload. */
  private static final Duration SHORT = Duration.ofSeconds(2);

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String DESCRIBE = "describe";

  private final Endpoint endpoint;
  private final int pageSize;
  private final Duration timeout;
  private final ByteBuffer line = ByteBuffer.allocateDirect(MAX_LINE_BYTES);
  private final WindowDirectories directories;

  /** Null where it is not noted for which process a device was loaded. */
  private final ReceiverFile receivers;

  /** The only process that may be asked now; null where any may. */
  private Receiver required;

  /** The time for the request that is made now, connecting included. */
  private Duration requestLimit;

  /** Number of the process that first listened here; 0 where that is not known. */
  private long firstProcess;

  private volatile UnixStream stream;
  private OpenWindows declared = new OpenWindows(List.of());
  private volatile boolean closed;

  /** Whether the peer of the connection of now has named the right device. */
  private boolean introduced;

  /** Where the workload of one device is reached. */
  public interface Endpoint {
    /** Name of the device, as the workload is to give it. */
    String device();

    /** The socket's path, for messages. */
    Path path();

    /**
     * Connects, once it is certain that the socket is the device's own.
     *
     * @param timeout for this call, and for each later one on the stream
     * @throws ErrnoException as {@code connect} has it
     * @throws IOException where the socket is somebody else's; the message says what to do
     */
    UnixStream connect(Duration timeout) throws IOException;
  }

  /**
   * Does no I/O.
   *
   * @param endpoint of the workload
   * @param pageSize bytes of a page
   * @param timeout for each request; a workload may need long to stand still
   * @param directories where the files of its windows are
   */
  public WorkloadSocket(
      Endpoint endpoint, int pageSize, Duration timeout, WindowDirectories directories) {
    this(endpoint, pageSize, timeout, directories, null);
  }

  /**
   * As the other constructor.
   *
   * @param receivers where it is noted for which process the device was loaded
   */
  public WorkloadSocket(
      Endpoint endpoint,
      int pageSize,
      Duration timeout,
      WindowDirectories directories,
      ReceiverFile receivers) {
    this.receivers = receivers;
    this.endpoint = endpoint;
    this.pageSize = pageSize;
    this.timeout = timeout;
    this.directories = directories;
    this.requestLimit = timeout;
  }

  /**
   * What the workload says of itself, checked. Each window has a descriptor of its file, good until
   * this is asked again or closed.
   *
   * @throws WorkloadException where it cannot be reached, or declares what cannot be used
   */
  @Override
  public WorkloadDescription describe() throws IOException {
    JsonNode answer = description();
    WorkloadState state = stateOf(answer);
    try {
      OpenWindows windows =
          DeclaredWindows.open(
              answer, MEMBERS, pageSize, connected(requestLimit).peerUser(), directories);
      keep(windows);
      return new WorkloadDescription(
          quoted(answer.path("workload").asText()), state, endpoint.device(), windows.windows());
    } catch (DeclaredWindows.UnusableException unusable) {
      throw failed(
          0,
          "declares memory that cannot be moved: "
              + unusable.getMessage()
              + ". Nothing was asked of it and no memory was touched; mend its declaration.",
          unusable);
    }
  }

  /** The workload's windows are not looked at: it need not be movable once more. */
  @Override
  public WorkloadState state() throws IOException {
    return stateOf(description());
  }

  private JsonNode description() throws IOException {
    JsonNode answer = ask(DESCRIBE, null);
    requireOfDevice(answer);
    return answer;
  }

  private synchronized void keep(OpenWindows windows) throws WorkloadException {
    declared.close();
    declared = windows;
    if (closed) {
      windows.close();
      throw failed(Errno.EBADF.number(), "was closed here meanwhile", null);
    }
  }

  /** The workload speaks for the device that it is reached for, or for none at all. */
  private void requireOfDevice(JsonNode answer) throws WorkloadException {
    introduced = false;
    if (!StrictJson.isNumber(answer, "protocol", DeclaredWindows.PROTOCOL)) {
      throw failed(
          0,
          String.format(
              "speaks protocol %s; this agent speaks %s. Nothing was asked of it.",
              quoted(answer.path("protocol").toString()), DeclaredWindows.PROTOCOL),
          null);
    }
    JsonNode device = answer.path("device");
    if (!device.isTextual() || !device.textValue().equals(endpoint.device())) {
      dropConnection();
      throw failed(
          0,
          String.format(
              "names %s as the device it uses, and is asked as the workload of \"%s\". It was asked"
                  + " for nothing more; see which process listens there, and let it describe itself"
                  + " with \"device\":\"%s\" if that is the one it uses.",
              device.isTextual() ? "\"" + quoted(device.textValue()) + "\"" : "no device",
              endpoint.device(),
              endpoint.device()),
          null);
    }
    introduced = true;
  }

  /**
   * {@inheritDoc}
   *
   * <p>What was loaded into the memory of one process another one does not find: a workload that
   * was started anew, or is not there, cannot take the device.
   */
  @Override
  public void requireReadyToTake(String migration) throws IOException {
    requestLimit = timeout.compareTo(SHORT) < 0 ? timeout : SHORT;
    try {
      Workload.super.requireReadyToTake(migration);
      long process = SocketPeer.of(connected(requestLimit)).process();
      requireFirst(process, migration);
      Optional<Receiver> receiver = receiver(migration);
      if (receiver.isPresent()) {
        requireReceiver(receiver.get(), process);
      }
    } catch (WorkloadException failure) {
      if (failure.errno() == Errno.ECONNREFUSED.number()
          || failure.errno() == Errno.ENOENT.number()) {
        throw new WorkloadException(
            Errno.ESRCH.number(),
            failure.getMessage() + " Nobody listens there any more: it has ended.",
            failure);
      }
      throw failure;
    } finally {
      requestLimit = timeout;
    }
  }

  /** Within the life of this agent. */
  private void requireFirst(long process, String migration) throws WorkloadException {
    if (process != firstProcess && process != 0 && firstProcess != 0) {
      throw startedAnew(process, firstProcess, migration);
    }
  }

  private void requireReceiver(Receiver receiver, long process) throws IOException {
    if (!receivers.isStill(receiver, process)) {
      throw startedAnew(process, receiver.process(), receiver.migration());
    }
  }

  private WorkloadException startedAnew(long process, long before, String migration) {
    return failed(
        Errno.ESRCH.number(),
        String.format(
            "is process %s now and was process %s when its memory was made ready: it was started"
                + " anew and does not have what was loaded for the migration %s.",
            process, before, migration),
        null);
  }

  private Optional<Receiver> receiver(String migration) throws IOException {
    return receivers == null ? Optional.empty() : receivers.of(migration);
  }

  /**
   * {@inheritDoc}
   *
   * <p>The workload has its memory already; for which process it was loaded is noted.
   */
  @Override
  public void deliver(String migration) throws IOException {
    if (receivers != null) {
      int windows = description().path("windows").size();
      long process = SocketPeer.of(connected(requestLimit)).process();
      requireFirst(process, migration);
      receivers.write(migration, process, windows);
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

  /**
   * {@inheritDoc}
   *
   * <p>Where memory was loaded, only the process that has it is asked. Without memory all that was
   * loaded is in the device, and whoever waits may take it.
   */
  @Override
  public void take(String migration) throws IOException {
    required = receiver(migration).filter(receiver -> receiver.windows() > 0).orElse(null);
    try {
      if (required != null && stream != null) {
        requireReceiver(required, SocketPeer.of(stream).process());
      }
      ask("take", migration);
    } finally {
      required = null;
    }
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
    return accepted(operation, migration, parse(operation, answerTo(operation, request)));
  }

  private JsonNode accepted(String operation, String migration, JsonNode answer)
      throws WorkloadException {
    if (!answer.path("ok").isBoolean()) {
      throw unclear(operation, "\"ok\" must be true or false: " + answer, null);
    }
    if (answer.path("ok").booleanValue()) {
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

  private byte[] answerTo(String operation, ObjectNode request) throws IOException {
    ByteBuffer bytes = lineOf(request);
    boolean usedBefore = stream != null;
    long deadline = System.nanoTime() + requestLimit.toNanos();
    try {
      return exchange(operation, bytes, deadline);
    } catch (ErrnoException failure) {
      dropConnection();
      if (!usedBefore || failure.is(Errno.EAGAIN) || closed) {
        throw notAnswered(operation, failure);
      }
    }
    try {
      return exchange(operation, bytes, deadline);
    } catch (ErrnoException failure) {
      dropConnection();
      throw notAnswered(operation, failure);
    }
  }

  private static ByteBuffer lineOf(ObjectNode request) {
    byte[] text = (request + "\n").getBytes(StandardCharsets.UTF_8);
    if (text.length > MAX_LINE_BYTES) {
      throw new IllegalArgumentException("a request of " + text.length + " bytes");
    }
    return ByteBuffer.allocateDirect(text.length).put(text);
  }

  private byte[] exchange(String operation, ByteBuffer request, long deadline) throws IOException {
    UnixStream connection = connected(left(deadline));
    if (!introduced && !operation.equals(DESCRIBE)) {
      ObjectNode describe = JSON.createObjectNode().put("op", DESCRIBE);
      byte[] answer = exchange(connection, lineOf(describe), deadline);
      requireOfDevice(accepted(DESCRIBE, null, parse(DESCRIBE, answer)));
    }
    return exchange(connection, request, deadline);
  }

  private byte[] exchange(UnixStream connection, ByteBuffer request, long deadline)
      throws IOException {
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
        throw failed(0, "sent a line longer than " + MAX_LINE_BYTES + " bytes", null);
      }
    }
  }

  /** The next call on the socket waits no longer than until then. */
  private static void awaitAtMostUntil(long deadline, UnixStream connection) throws ErrnoException {
    connection.timeout(left(deadline));
  }

  private static Duration left(long deadline) throws ErrnoException {
    long left = deadline - System.nanoTime();
    if (left <= 0) {
      throw new ErrnoException("waiting for the workload", Errno.EAGAIN.number());
    }
    return Duration.ofNanos(left);
  }

  private byte[] lineOf(int end) throws WorkloadException {
    if (line.position() != end + 1) {
      dropConnection();
      throw failed(0, "sent more than one line for one request", null);
    }
    byte[] text = new byte[end];
    line.get(0, text);
    return text;
  }

  private JsonNode parse(String operation, byte[] text) throws WorkloadException {
    try {
      return StrictJson.object(text);
    } catch (StrictJson.MalformedException malformed) {
      throw unclear(
          operation,
          malformed.getMessage() + ": " + new String(text, StandardCharsets.UTF_8),
          malformed);
    }
  }

  private WorkloadException unclear(String operation, String what, Throwable cause) {
    return failed(
        0,
        String.format(
            "answered \"%s\" against the protocol: %s. Whether it did what was asked is not known.",
            operation, quoted(what)),
        cause);
  }

  private UnixStream connected(Duration limit) throws IOException {
    UnixStream current = stream;
    if (current == null) {
      introduced = false;
      current = endpoint.connect(limit);
      if (firstProcess == 0) {
        firstProcess = processOf(current);
      }
      stream = current;
      if (closed) {
        current.close();
      }
      if (required != null) {
        requireReceiver(required, SocketPeer.of(current).process());
      }
    }
    return current;
  }

  private static long processOf(UnixStream connection) throws ErrnoException {
    try {
      return SocketPeer.of(connection).process();
    } catch (ErrnoException failure) {
      connection.close();
      throw failure;
    }
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
            ? String.format(
                "did not answer \"%s\" within %s ms. Whether it did what was asked is not known;"
                    + " ask again.",
                operation, requestLimit.toMillis())
            : String.format(
                "cannot be reached for \"%s\": %s. See whether it runs.",
                operation, failure.getMessage()),
        failure);
  }

  private WorkloadException failed(int errno, String what, Throwable cause) {
    return new WorkloadException(errno, "the workload at " + endpoint.path() + " " + what, cause);
  }

  private static String quoted(String text) {
    return ForeignText.quote(text);
  }

  @Override
  public void close() {
    closed = true;
    dropConnection();
    synchronized (this) {
      declared.close();
    }
  }
}
