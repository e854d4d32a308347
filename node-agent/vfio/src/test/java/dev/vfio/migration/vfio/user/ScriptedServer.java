package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.PassingSocket;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A vfio-user server for one test, written from the specification: a device with one region of
 * plain memory at index 9, of the migration type. Any command can be answered otherwise.
 */
final class ScriptedServer implements AutoCloseable {
  static final int VERSION = 1;
  static final int GET_INFO = 4;
  static final int GET_REGION_INFO = 5;
  static final int REGION_READ = 9;
  static final int REGION_WRITE = 10;
  static final int RESET = 13;

  /** One command as it came. */
  record Request(int id, int command, ByteBuffer payload) {
    long offset() {
      return payload.getLong(0);
    }

    int region() {
      return payload.getInt(8);
    }

    int count() {
      return payload.getInt(12);
    }
  }

  /** Answers a command in its own way. */
  @FunctionalInterface
  interface Answer {
    void to(Request request, PassingSocket client) throws ErrnoException;
  }

  private final PassingSocket listener;
  private final Thread thread;
  private final List<String> commands = new CopyOnWriteArrayList<>();
  private final List<PassingSocket> clients = new CopyOnWriteArrayList<>();
  private final Map<Integer, Answer> answers = new ConcurrentHashMap<>();
  private final AtomicInteger connections = new AtomicInteger();
  private final ByteBuffer memory;
  private volatile boolean closing;
  private volatile RegionInfoBytes regionInfo;
  private volatile String versionJson = "{\"capabilities\":{\"max_msg_fds\":8}}";
  private volatile int regions = 10;

  ScriptedServer(Path socket, int regionSize) throws ErrnoException {
    this(PassingSocket.listen(socket), regionSize);
  }

  ScriptedServer(PassingSocket listener, int regionSize) {
    this.listener = listener;
    memory = ByteBuffer.allocate(regionSize).order(ByteOrder.nativeOrder());
    regionInfo = RegionInfoBytes.migration(9, regionSize);
    thread = new Thread(this::acceptAll, "scripted server");
    thread.start();
  }

  /** A client's access through that socket, with nothing to happen after its end. */
  static VfioUserAccess access(Path socket, ServerTimeouts timeouts) throws IOException {
    UnixStream stream = UnixStream.connect(socket, timeouts.toConnect());
    long openBy = System.nanoTime() + timeouts.toConnect().toNanos();
    return VfioUserAccess.over(stream, socket, timeouts, openBy, () -> {});
  }

  ScriptedServer on(int command, Answer answer) {
    answers.put(command, answer);
    return this;
  }

  ScriptedServer versionJson(String json) {
    versionJson = json;
    return this;
  }

  ScriptedServer regionInfo(RegionInfoBytes info) {
    regionInfo = info;
    return this;
  }

  ScriptedServer regions(int count) {
    regions = count;
    return this;
  }

  /** Passes the file as that of region 9 with every description of it. */
  ScriptedServer passing(Descriptor file, int copies) {
    return on(
        GET_REGION_INFO,
        (request, client) ->
            client.write(
                message(request.id(), GET_REGION_INFO, 1, 0, describe(request)), file, copies));
  }

  ByteBuffer memory() {
    return memory;
  }

  int connections() {
    return connections.get();
  }

  /** What came since the last call: command, and for accesses {@code offset/count}. */
  List<String> commands() {
    List<String> seen = List.copyOf(commands);
    commands.clear();
    return seen;
  }

  private void acceptAll() {
    while (!closing) {
      try (PassingSocket client = listener.accept()) {
        connections.incrementAndGet();
        clients.add(client);
        serve(client);
        clients.remove(client);
      } catch (ErrnoException ended) {
        commands.add("connection ended: " + ended.getMessage());
      }
    }
  }

  private void serve(PassingSocket client) throws ErrnoException {
    ByteBuffer header = client.read(16);
    while (header != null) {
      int size = header.getInt(4);
      Request request =
          new Request(
              Short.toUnsignedInt(header.getShort(0)),
              Short.toUnsignedInt(header.getShort(2)),
              client.read(size - 16));
      record(request);
      Answer answer = answers.get(request.command());
      if (answer == null) {
        client.write(reply(request));
      } else {
        answer.to(request, client);
      }
      header = client.read(16);
    }
  }

  private void record(Request request) {
    commands.add(
        switch (request.command()) {
          case REGION_READ -> "read " + request.offset() + "/" + request.count();
          case REGION_WRITE -> "write " + request.offset() + "/" + request.count();
          default -> "command " + request.command();
        });
  }

  /** The reply of a server that keeps to the rules. */
  byte[] reply(Request request) {
    return switch (request.command()) {
      case VERSION -> message(request.id(), VERSION, 1, 0, version());
      case GET_INFO -> message(request.id(), GET_INFO, 1, 0, deviceInfo());
      case GET_REGION_INFO -> message(request.id(), GET_REGION_INFO, 1, 0, describe(request));
      case REGION_READ -> read(request);
      case REGION_WRITE -> write(request);
      case RESET -> message(request.id(), RESET, 1, 0, new byte[0]);
      default -> error(request, 95);
    };
  }

  private byte[] version() {
    byte[] json = versionJson.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(4 + json.length + 1)
        .order(ByteOrder.nativeOrder())
        .putShort((short) 0)
        .putShort((short) 1)
        .put(json)
        .array();
  }

  private byte[] deviceInfo() {
    return ByteBuffer.allocate(16)
        .order(ByteOrder.nativeOrder())
        .putInt(16)
        .putInt(1)
        .putInt(regions)
        .putInt(0)
        .array();
  }

  /** The whole description where the client has room for it, else only its fixed part. */
  private byte[] describe(Request request) {
    RegionInfoBytes info =
        request.payload().getInt(8) == 9 ? regionInfo : RegionInfoBytes.plain(7, 0);
    boolean fits = request.payload().getInt(0) >= info.size();
    byte[] bytes = new byte[fits ? info.size() : 32];
    info.toBuffer().get(bytes);
    return bytes;
  }

  private byte[] read(Request request) {
    byte[] payload = new byte[16 + request.count()];
    request.payload().get(0, payload, 0, 16);
    memory.get((int) request.offset(), payload, 16, request.count());
    return message(request.id(), REGION_READ, 1, 0, payload);
  }

  private byte[] write(Request request) {
    byte[] payload = new byte[16];
    request.payload().get(0, payload, 0, 16);
    memory.put((int) request.offset(), request.payload(), 16, request.count());
    return message(request.id(), REGION_WRITE, 1, 0, payload);
  }

  static byte[] error(Request request, int errno) {
    return message(request.id(), request.command(), 0x21, errno, new byte[0]);
  }

  static byte[] message(int id, int command, int flags, int errno, byte[] payload) {
    return ByteBuffer.allocate(16 + payload.length)
        .order(ByteOrder.nativeOrder())
        .putShort((short) id)
        .putShort((short) command)
        .putInt(16 + payload.length)
        .putInt(flags)
        .putInt(errno)
        .put(payload)
        .array();
  }

  @Override
  public void close() {
    closing = true;
    listener.shutdown();
    clients.forEach(PassingSocket::shutdown);
    try {
      thread.join(60_000);
    } catch (InterruptedException interrupted) {
      throw new AssertionError("interrupted while the scripted server ends", interrupted);
    }
    listener.close();
    if (thread.isAlive()) {
      throw new AssertionError("the scripted server did not end");
    }
  }
}
