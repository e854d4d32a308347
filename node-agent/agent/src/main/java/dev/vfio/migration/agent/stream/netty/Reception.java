package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StateStreams.Expected;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Resume;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/**
 * One awaited migration over its connections: who may join, what the sink was told, how it ended.
 * Thread-safe; no method holds the lock while the sink works.
 *
 * <pre>
 * AWAITING -> RECEIVING -> COMPLETING -> LOADED
 *     |           |            |  (the sink failed)
 *     +--> CLOSED +--> BROKEN <+
 * </pre>
 */
final class Reception implements Awaited {
  private static final Logger LOG = Logger.getLogger(Reception.class);

  private enum Phase {
    AWAITING,
    RECEIVING,
    COMPLETING,
    LOADED,
    BROKEN,
    CLOSED
  }

  /** Nothing may be delivered any more. */
  static final class Over extends Exception {
    private static final long serialVersionUID = 1L;

    Over() {
      super("the migration's stream has ended", null, false, false);
    }
  }

  private final Expected expected;
  private final byte[] token;
  private final StateSink sink;
  private final StreamSettings settings;
  private final Reservation reservation;
  private final MemoryBudget.Room room;
  private final Consumer<Reception> forget;
  private final IncomingStream[] streams;
  private final byte[][] digests;
  private final ThreadLocal<Boolean> inSink = ThreadLocal.withInitial(() -> false);
  private Phase phase = Phase.AWAITING;
  private int chunkBytes;
  private int ended;
  private int inSinkCount;
  private boolean forgotten;
  private boolean starting;
  private boolean started;

  /** Makes what is reserved fit the chunks that HELLO announces. */
  @FunctionalInterface
  interface Reservation {
    void resize(int chunkBytes) throws StreamException;
  }

  /**
   * @param room where the rings of its connections are reserved
   * @param forget called once this takes no connections any more
   */
  Reception(
      Expected expected,
      byte[] token,
      StateSink sink,
      StreamSettings settings,
      Reservation reservation,
      MemoryBudget.Room room,
      Consumer<Reception> forget) {
    this.expected = expected;
    this.token = token;
    this.sink = sink;
    this.settings = settings;
    this.reservation = reservation;
    this.room = room;
    this.forget = forget;
    this.streams = new IncomingStream[expected.streams()];
    this.digests = new byte[expected.streams()][];
  }

  String migration() {
    return expected.migration();
  }

  String describe() {
    return "migration " + expected.migration() + " from node " + expected.node();
  }

  @Override
  public byte[] token() {
    return token.clone();
  }

  /**
   * Takes a connection in, or says why not. Never harms the migration itself: a stranger must not
   * be able to break it.
   *
   * @param key what a connection must present that is to go on with the stream
   * @return the stream that the connection is to be attached to
   */
  synchronized IncomingStream admit(
      Hello hello, X509Certificate peer, byte[] key, DestinationConnection connection)
      throws StreamException {
    requireKnown(peer, hello.token());
    if (phase != Phase.AWAITING && phase != Phase.RECEIVING) {
      throw refused("it takes no connections any more (" + phase + ")");
    }
    if (hello.streams() != expected.streams()) {
      throw refused(
          "it was prepared for " + expected.streams() + " streams, not " + hello.streams());
    }
    if (hello.stream() < 0 || hello.stream() >= expected.streams()) {
      throw refused(
          "stream " + hello.stream() + " is not one of its " + expected.streams() + " streams");
    }
    if (hello.chunkBytes() < 1 || hello.chunkBytes() > settings.maximumChunkBytes()) {
      throw refused(
          String.format(
              "chunks of %s bytes are announced; 1 to %s are allowed",
              hello.chunkBytes(), settings.maximumChunkBytes()));
    }
    if (hello.idleMillis() < StreamSettings.MIN_IDLE_MILLIS) {
      throw refused(
          String.format(
              "an idle time of %s ms is announced; at least %s ms are allowed",
              hello.idleMillis(), StreamSettings.MIN_IDLE_MILLIS));
    }
    if (chunkBytes != 0 && chunkBytes != hello.chunkBytes()) {
      throw refused("its streams announce different chunk sizes");
    }
    IncomingStream before = streams[hello.stream()];
    if (before != null && !before.untouched()) {
      throw refused("its token was used for stream " + hello.stream() + " before");
    }
    if (chunkBytes == 0) {
      reservation.resize(hello.chunkBytes());
    }
    if (before != null) {
      before.forget();
    }
    // Before anybody can end this, and with it give the memory back.
    ReceiveRing ring =
        connection.ring(
            room,
            settings.receiveBuffersFor(hello.chunkBytes(), expected.streams()),
            hello.chunkBytes());
    IncomingStream stream =
        new IncomingStream(this, hello, key, peer, ring, settings.awaitResumeTime());
    streams[hello.stream()] = stream;
    chunkBytes = hello.chunkBytes();
    phase = Phase.RECEIVING;
    return stream;
  }

  private void requireKnown(X509Certificate peer, byte[] presented) throws StreamException {
    NodeCertificate.requireNode(peer, expected.node());
    if (!MessageDigest.isEqual(token, presented)) {
      throw new StreamException(
          Kind.UNAUTHENTICATED,
          "the token is not that of "
              + describe()
              + "; the destination was prepared anew, or this is not its source");
    }
  }

  /**
   * Finds the stream that a source comes back with, or says why not. Also where all was loaded: the
   * source may not have heard so. Never harms the migration itself.
   *
   * @return the stream that the connection is to be attached to
   */
  synchronized IncomingStream resume(Resume resume, X509Certificate peer) throws StreamException {
    requireKnown(peer, resume.token());
    boolean goesOn =
        switch (phase) {
          case RECEIVING, COMPLETING, LOADED -> true;
          case AWAITING, BROKEN, CLOSED -> false;
        };
    if (!goesOn) {
      throw refused("its streams cannot be connected again (" + phase + ")");
    }
    boolean exists = resume.stream() >= 0 && resume.stream() < streams.length;
    IncomingStream stream = exists ? streams[resume.stream()] : null;
    if (stream == null) {
      throw refused("stream " + resume.stream() + " was never connected");
    }
    if (stream.version() < Greeting.RESUMABLE_VERSION
        || !MessageDigest.isEqual(stream.key(), resume.key())) {
      throw new StreamException(
          Kind.UNAUTHENTICATED, describe() + ": the key is not that of stream " + resume.stream());
    }
    if (!stream.peer().equals(peer)) {
      throw new StreamException(
          Kind.UNAUTHENTICATED,
          describe()
              + ": stream "
              + resume.stream()
              + " was begun with another certificate of that node");
    }
    if (resume.idleMillis() < StreamSettings.MIN_IDLE_MILLIS) {
      throw refused(
          String.format(
              "an idle time of %s ms is announced; at least %s ms are allowed",
              resume.idleMillis(), StreamSettings.MIN_IDLE_MILLIS));
    }
    return stream;
  }

  private StreamException refused(String why) {
    return new StreamException(Kind.REFUSED, describe() + ": " + why);
  }

  /** Calls the sink, once, before anything else. From the delivery threads. */
  void start() throws Over, InterruptedException {
    synchronized (this) {
      while (starting && !started) {
        wait();
      }
      if (started) {
        return;
      }
      starting = true;
    }
    try {
      enter(Phase.RECEIVING);
      try {
        sink.started();
      } finally {
        leave();
      }
    } finally {
      synchronized (this) {
        started = true;
        notifyAll();
      }
    }
  }

  /** From the delivery threads. */
  void deliver(FrameHeader header, ByteBuffer payload) throws IOException, Over {
    enter(Phase.RECEIVING);
    try {
      FrameWork<IOException> work =
          switch (header.type()) {
            case DEVICE_STATE -> () -> sink.deviceState(payload, header.offset());
            case MEMORY -> () -> sink.memory(header.window(), header.offset(), payload);
            case PAUSED -> () -> sink.paused(payload.getLong());
            case END, PING, LOADED, ERROR, TAKEN ->
                throw new IllegalStateException(header.type() + " is not for the sink");
          };
      work.run();
    } finally {
      leave();
    }
  }

  /**
   * A stream was delivered to its end. The thread of stream 0 stays, waits for the other streams,
   * and completes the sink, so that the device hears from one thread only.
   */
  void ended(int stream, byte[] digest) throws IOException, Over, InterruptedException {
    synchronized (this) {
      digests[stream] = digest;
      ended++;
      notifyAll();
      if (stream != 0) {
        return;
      }
      while (ended < digests.length && phase == Phase.RECEIVING) {
        wait();
      }
      if (phase != Phase.RECEIVING) {
        return;
      }
      phase = Phase.COMPLETING;
    }
    enter(Phase.COMPLETING);
    try {
      sink.complete();
    } finally {
      leave();
    }
    synchronized (this) {
      if (phase != Phase.COMPLETING) {
        return;
      }
      phase = Phase.LOADED;
    }
    byte[] loaded = LoadedDigest.of(Arrays.asList(digests));
    streams[0].sendLoaded(loaded);
    for (int index = 1; index < streams.length; index++) {
      streams[index].stopKeepAlive();
    }
  }

  private synchronized void enter(Phase needed) throws Over {
    if (phase != needed) {
      throw new Over();
    }
    inSinkCount++;
    inSink.set(true);
  }

  private synchronized void leave() {
    inSinkCount--;
    inSink.remove();
    notifyAll();
  }

  /** The sink threw. From the delivery threads. */
  void sinkFailed(Throwable why) {
    StreamException known =
        why instanceof StreamException stream
            ? stream
            : new StreamException(
                Kind.REFUSED,
                describe() + ": the destination could not take it: " + why.getMessage(),
                why);
    breakUp(known, Phase.AWAITING, Phase.RECEIVING, Phase.COMPLETING);
  }

  /** The network failed. Means nothing any more once every stream has been verified. */
  void fail(StreamException why) {
    breakUp(why, Phase.AWAITING, Phase.RECEIVING);
  }

  private void breakUp(StreamException why, Phase... from) {
    synchronized (this) {
      if (!Arrays.asList(from).contains(phase)) {
        return;
      }
      phase = Phase.BROKEN;
      notifyAll();
    }
    LOG.warnf("%s: the state stream broke: %s", describe(), why.getMessage());
    forget();
    joined().forEach(stream -> stream.giveUp(why));
    Thread teller = new Thread(() -> tellBroken(why), "state-broken-" + expected.migration());
    teller.setDaemon(true);
    teller.start();
  }

  /** In a thread of its own: a sink may take its time, and event loops and deliveries may not. */
  private void tellBroken(StreamException why) {
    awaitQuiet();
    sink.broken(why);
  }

  /** Waits until no method of the sink works any more, but not for ever: a device may hang. */
  private void awaitQuiet() {
    long deadline = System.nanoTime() + settings.closeTimeout().toNanos();
    synchronized (this) {
      while (inSinkCount > 0) {
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (left <= 0) {
          LOG.warnf(
              "%s: what the stream delivered is still being worked on after %s",
              describe(), settings.closeTimeout());
          return;
        }
        try {
          wait(left);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }

  /** Once, however often this ends. */
  private void forget() {
    synchronized (this) {
      if (forgotten) {
        return;
      }
      forgotten = true;
    }
    forget.accept(this);
  }

  private synchronized List<IncomingStream> joined() {
    return Arrays.stream(streams).filter(Objects::nonNull).toList();
  }

  /**
   * The owner does not want it any more. The sink is not told broken; once this has returned no
   * method of it begins, and none works any more unless it hangs or calls this itself.
   */
  @Override
  public void close() {
    boolean loaded;
    synchronized (this) {
      if (phase == Phase.CLOSED) {
        return;
      }
      loaded = phase == Phase.LOADED;
      phase = Phase.CLOSED;
      notifyAll();
    }
    forget();
    if (loaded) {
      joined().forEach(IncomingStream::hangUp);
    } else {
      StreamException why =
          new StreamException(Kind.REFUSED, describe() + ": the destination closed the stream");
      joined().forEach(stream -> stream.giveUp(why));
    }
    if (!inSink.get()) {
      awaitQuiet();
    }
  }
}
