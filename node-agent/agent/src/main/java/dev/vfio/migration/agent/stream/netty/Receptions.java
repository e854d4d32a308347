package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StateStreams.Expected;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Resume;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/** The migrations that this agent awaits as a destination, and their tokens. Thread-safe. */
final class Receptions {
  private final StreamSettings settings;
  private final SecureRandom secrets = new SecureRandom();
  private final MemoryBudget budget;
  private final Map<String, Reception> awaited = new ConcurrentHashMap<>();
  private final Map<String, MemoryBudget.Room> rooms = new ConcurrentHashMap<>();

  Receptions(StreamSettings settings, MemoryBudget budget) {
    this.settings = settings;
    this.budget = budget;
  }

  /** Reserves memory that {@link #await} will use; closing it frees what no ring holds then. */
  StateStreams.Room reserve(Expected expected) throws StreamException {
    requireSane(expected);
    MemoryBudget.Room room = budget.room("receiving migration " + expected.migration());
    room.resize(need(expected.streams(), expected.chunkBytes()));
    rooms.put(expected.migration(), room);
    AtomicBoolean closed = new AtomicBoolean();
    return () -> {
      if (closed.compareAndSet(false, true)) {
        rooms.remove(expected.migration(), room);
        room.release();
      }
    };
  }

  /** Bytes of a session's rings and of what TLS holds beside them. */
  private long need(int streams, int chunkBytes) {
    long ring = (long) settings.receiveBuffersFor(chunkBytes, streams) * chunkBytes;
    return streams * (ring + MemoryBudget.BYTES_PER_STREAM);
  }

  private void requireSane(Expected expected) {
    if (expected.streams() < 1 || expected.streams() > settings.maximumStreams()) {
      throw new IllegalArgumentException(
          expected.streams()
              + " streams are asked for; 1 to "
              + settings.maximumStreams()
              + " are allowed");
    }
  }

  Reception await(Expected expected, StateSink sink) throws StreamException {
    requireSane(expected);
    byte[] token = new byte[Greeting.TOKEN_BYTES];
    secrets.nextBytes(token);
    MemoryBudget.Room room = rooms.get(expected.migration());
    if (room == null) {
      room = budget.room("receiving migration " + expected.migration());
      room.resize(need(expected.streams(), expected.chunkBytes()));
    } else {
      room.hold();
    }
    MemoryBudget.Room held = room;
    Reception reception =
        new Reception(
            expected,
            token,
            sink,
            settings,
            chunkBytes -> held.resize(need(expected.streams(), chunkBytes)),
            held,
            ended -> {
              awaited.remove(ended.migration(), ended);
              held.release();
            });
    if (awaited.putIfAbsent(expected.migration(), reception) != null) {
      held.release();
      throw new IllegalStateException(
          "the state of migration " + expected.migration() + " is awaited already");
    }
    return reception;
  }

  /**
   * Finds whom a HELLO is for.
   *
   * @throws StreamException why the connection is refused
   */
  IncomingStream admit(Hello hello, X509Certificate peer, DestinationConnection connection)
      throws StreamException {
    byte[] key = new byte[Greeting.KEY_BYTES];
    secrets.nextBytes(key);
    return of(hello.migration()).admit(hello, peer, key, connection);
  }

  /**
   * Finds which stream a RESUME is for.
   *
   * @throws StreamException why the connection is refused
   */
  IncomingStream resume(Resume resume, X509Certificate peer) throws StreamException {
    return of(resume.migration()).resume(resume, peer);
  }

  private Reception of(String migration) throws StreamException {
    Reception reception = awaited.get(migration);
    if (reception == null) {
      throw new StreamException(
          Kind.REFUSED,
          "no destination of this agent awaits migration "
              + migration
              + "; it was never prepared here, or it has ended");
    }
    return reception;
  }

  void close() {
    List.copyOf(awaited.values()).forEach(Reception::close);
  }
}
