package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.netty.FrameType.Direction;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import io.micrometer.core.instrument.Metrics;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/**
 * One stream of a destination, over all of its connections: what was received, what is being
 * delivered, and which connection brings more of it. At most one does; a newer one has it only once
 * the older one reads nothing any more. Thread-safe, but for what says whose it is.
 */
final class IncomingStream {
  private static final Logger LOG = Logger.getLogger(IncomingStream.class);

  private final Reception reception;
  private final int index;
  private final int version;
  private final byte[] key;
  private final X509Certificate peer;
  private final IncomingFrames frames;
  private final ReceiveRing ring;
  private final DeliveryThread delivery;
  private final Duration limit;

  // Guarded by this.
  private DestinationConnection current;
  private DestinationConnection next;
  private boolean stopping;
  private boolean begun;
  private boolean ended;
  private boolean over;
  private boolean left;
  private long changes;
  private long taken;
  private long lostAt;
  private StreamException lostBecause;
  private byte[] loaded;

  /**
   * @param key what a connection must present to go on with it
   * @param peer the certificate of the source
   * @param ring to be used by this alone
   * @param limit how long a lost connection's successor is waited for
   */
  IncomingStream(
      Reception reception,
      Hello hello,
      byte[] key,
      X509Certificate peer,
      ReceiveRing ring,
      Duration limit) {
    this.reception = reception;
    this.index = hello.stream();
    this.version = Math.min(hello.highestVersion(), Greeting.VERSION);
    this.key = key;
    this.peer = peer;
    this.ring = ring;
    this.limit = limit;
    this.frames =
        new IncomingFrames(
            version,
            index,
            Direction.TO_DESTINATION,
            new Placement(hello.streams(), hello.chunkBytes()));
    this.delivery = new DeliveryThread(reception, index, ring, this::roomAgain, this::taken);
  }

  int index() {
    return index;
  }

  String describe() {
    return "stream " + index + " of " + reception.describe();
  }

  /** The whole migration fails with that. */
  void fail(StreamException why) {
    reception.fail(why);
  }

  int version() {
    return version;
  }

  byte[] key() {
    return key.clone();
  }

  X509Certificate peer() {
    return peer;
  }

  private boolean resumable() {
    return version >= Greeting.RESUMABLE_VERSION;
  }

  /** Of the event loop of the current connection alone. */
  IncomingFrames frames() {
    return frames;
  }

  /** Of the event loop of the current connection alone: a place for a payload, or null. */
  ByteBuffer reserve(int length) {
    return delivery.reserve(length);
  }

  /** Of the event loop of the current connection alone. */
  void add(FrameHeader header, ByteBuffer payload) {
    delivery.add(header, payload);
  }

  /** Of the event loop of the current connection alone: the end mark came. */
  void end(ByteBuffer payload) throws StreamException {
    byte[] digest = frames.end(payload);
    synchronized (this) {
      ended = true;
    }
    delivery.end(digest, frames.came());
  }

  /** Whether the end mark was verified: then the end of a connection means nothing any more. */
  synchronized boolean ended() {
    return ended;
  }

  private void roomAgain() {
    DestinationConnection open;
    synchronized (this) {
      open = current;
    }
    if (open != null) {
      open.resumeReading();
    }
  }

  private void taken(long before) {
    DestinationConnection open;
    synchronized (this) {
      taken = before;
      open = resumable() ? current : null;
    }
    if (open != null) {
      open.sendTaken(before);
    }
  }

  /** Nothing was received of it, and its connection was lost: its WELCOME may never have come. */
  synchronized boolean untouched() {
    return resumable() && current == null && next == null && frames.next() == 0;
  }

  /**
   * Has that connection bring this stream, once the one that does reads nothing any more. It is
   * closed where the stream has ended meanwhile.
   */
  void attach(DestinationConnection connection) {
    DestinationConnection stale;
    DestinationConnection older;
    synchronized (this) {
      stale = over ? connection : next;
      next = over ? null : connection;
      older = stopping ? null : current;
      if (older != null) {
        stopping = true;
      }
    }
    if (stale != null) {
      stale.hangUp();
    }
    if (older != null) {
      older.replaced();
    } else {
      attachNext();
    }
  }

  private void attachNext() {
    DestinationConnection connection;
    synchronized (this) {
      if (stopping || current != null || next == null || over) {
        return;
      }
      connection = next;
      next = null;
      current = connection;
    }
    connection.attached();
  }

  /**
   * In the event loop of that connection, which has become current: what WELCOME is to say is
   * number {@link IncomingFrames#next}. Delivers from here on.
   */
  void began(DestinationConnection connection) {
    boolean first;
    long tookMillis;
    byte[] told;
    long before;
    StreamException why;
    synchronized (this) {
      if (over) {
        return;
      }
      first = !begun;
      begun = true;
      before = taken;
      tookMillis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lostAt);
      why = lostBecause;
      lostBecause = null;
      changes++;
      told = loaded;
    }
    if (first) {
      delivery.start();
      return;
    }
    LOG.infof(
        "%s: the source has connected it again%s; frame %s is next",
        connection,
        why == null
            ? ", before the older connection had ended"
            : " after " + tookMillis + " ms. It had been lost: " + why.getMessage(),
        frames.next());
    Metrics.counter("vfio.migration.stream.reconnects", "end", "destination").increment();
    // What was said of it may have been lost, and the source may wait for nothing else.
    connection.sendTaken(before);
    if (told != null) {
      connection.sendLoaded(told);
    }
  }

  /**
   * In the event loop of that connection: it reads nothing any more.
   *
   * @param half the frame that has a place and did not come as a whole; or null
   * @param more whether another one may follow
   */
  void gone(DestinationConnection connection, FrameHeader half, StreamException why, boolean more) {
    boolean waits;
    synchronized (this) {
      if (next == connection) {
        next = null;
      }
      if (current != connection) {
        return;
      }
      if (half != null && half.type().delivered()) {
        ring.unreserve();
      }
      current = null;
      stopping = false;
      changes++;
      waits = resumable() && more && !over;
      over |= !waits && !ended;
      leaveIfOver();
    }
    if (waits) {
      attachNext();
      awaitAnother(connection, why);
    } else if (!ended()) {
      reception.fail(why);
    }
  }

  private void awaitAnother(DestinationConnection gone, StreamException why) {
    long change;
    synchronized (this) {
      if (current != null || ended) {
        return;
      }
      lostAt = System.nanoTime();
      lostBecause = why;
      change = changes;
    }
    LOG.infof("%s; the source may connect it again within %s", why.getMessage(), limit);
    gone.later(() -> limitEnds(change, why), limit);
  }

  private void limitEnds(long change, StreamException why) {
    synchronized (this) {
      if (over || changes != change || current != null) {
        return;
      }
    }
    reception.fail(
        new StreamException(
            why.kind(),
            why.getMessage() + "; the source did not connect it again within " + limit,
            why));
  }

  /** All is loaded: the source hears it, now or once it has connected again. */
  void sendLoaded(byte[] digest) {
    DestinationConnection open;
    synchronized (this) {
      loaded = digest;
      open = current;
    }
    if (open != null) {
      open.sendLoaded(digest);
    }
  }

  /** All is loaded, and another stream tells the source. */
  void stopKeepAlive() {
    DestinationConnection open;
    synchronized (this) {
      open = current;
    }
    if (open != null) {
      open.stopKeepAlive();
    }
  }

  /** Delivers nothing more, tells the source why, and takes no other connection. */
  void giveUp(StreamException why) {
    delivery.stop();
    end(connection -> connection.giveUp(why));
  }

  /** Closes without a word: all has been said. */
  void hangUp() {
    end(DestinationConnection::hangUp);
  }

  /** Another one takes its place: nothing was ever received. */
  void forget() {
    delivery.stop();
    end(DestinationConnection::hangUp);
  }

  private void end(Consumer<DestinationConnection> last) {
    DestinationConnection open;
    DestinationConnection waiting;
    synchronized (this) {
      over = true;
      open = current;
      waiting = next;
      next = null;
      leaveIfOver();
    }
    if (open != null) {
      last.accept(open);
    }
    if (waiting != null) {
      last.accept(waiting);
    }
  }

  /** No connection writes into the ring any more. */
  private void leaveIfOver() {
    if (left || current != null || !(over || ended)) {
      return;
    }
    left = true;
    ring.leave();
    if (!begun) {
      // The delivery never starts.
      ring.leave();
    }
  }
}
