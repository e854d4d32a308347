package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StreamException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The network between two agents: everything arrives late, and some of it never. */
final class ModelStreams implements StateStreams {
  private static final int CHUNK_BYTES = 40;

  private final Node node;
  private final Chance chance;
  private final Map<String, Reception> receptions = new LinkedHashMap<>();
  private final List<Link> links = new ArrayList<>();
  private byte tokens;

  ModelStreams(Node node, Chance chance) {
    this.node = node;
    this.chance = chance;
  }

  /** The agent of this node ends: nobody here is told anything more, everybody elsewhere is. */
  void agentGone() {
    receptions.values().forEach(reception -> reception.over = true);
    receptions.clear();
    links.forEach(Link::sourceGone);
    links.clear();
  }

  @Override
  public int port() {
    return 9444;
  }

  @Override
  public Awaited await(Expected expected, StateSink sink) {
    Reception reception = new Reception(expected, sink, new byte[] {++tokens});
    if (receptions.putIfAbsent(expected.migration(), reception) != null) {
      throw new AssertionError("awaited twice: " + expected);
    }
    return reception;
  }

  @Override
  public StateSender connect(Destination destination) throws StreamException {
    node.mayCrash();
    Node target = node.world().node(destination.node());
    Reception reception =
        target.isUp() ? target.streams().receptions.get(destination.migration()) : null;
    if (reception == null || chance.fault(25)) {
      throw new StreamException(StreamException.Kind.BROKEN, "no connection to " + target);
    }
    if (!Arrays.equals(reception.token, destination.token()) || reception.link != null) {
      throw new StreamException(StreamException.Kind.REFUSED, target + " refuses");
    }
    reception.link = new Link(reception, node, target);
    links.add(reception.link);
    return reception.link;
  }

  /** A destination that waits. */
  private final class Reception implements Awaited {
    private final Expected expected;
    private final StateSink sink;
    private final byte[] token;
    private Link link;
    private boolean over;
    private boolean loaded;

    private Reception(Expected expected, StateSink sink, byte[] token) {
      this.expected = expected;
      this.sink = sink;
      this.token = token;
    }

    @Override
    public byte[] token() {
      return token.clone();
    }

    @Override
    public void close() {
      over = true;
      receptions.remove(expected.migration(), this);
    }

    /** Something of the sink threw, or the connection is no more. */
    private void broke(StreamException why) {
      if (!over && !loaded) {
        over = true;
        receptions.remove(expected.migration(), this);
        sink.broken(why);
      }
    }
  }

  /** A delivery to the sink. */
  @FunctionalInterface
  private interface Delivery {
    void to(StateSink sink) throws IOException;
  }

  /** One connection. */
  private final class Link implements StateSender {
    private final Reception reception;
    private final Node source;
    private final Node target;
    private final Loop.Lane lane;
    private StreamException broken;
    private boolean loadedHeard;
    private long sent;
    private long sentState;

    private Link(Reception reception, Node source, Node target) {
      this.reception = reception;
      this.source = source;
      this.target = target;
      this.lane = node.world().loop().lane("link " + reception.expected.migration());
      int life = target.life();
      int sourceLife = source.life();
      lane.add(() -> deliver(life, sourceLife, StateSink::started));
    }

    private void send(Delivery delivery) throws StreamException {
      source.mayCrash();
      requireOpen();
      int life = target.life();
      int sourceLife = source.life();
      lane.add(() -> deliver(life, sourceLife, delivery));
    }

    private void requireOpen() throws StreamException {
      if (broken != null) {
        throw new StreamException(broken.kind(), broken.getMessage());
      }
    }

    private void deliver(int life, int sourceLife, Delivery delivery) {
      if (target.life() != life || reception.over) {
        cut("the destination is gone");
        return;
      }
      if (source.life() != sourceLife && chance.oneIn(2)) {
        // What the source's kernel still had may arrive or not.
        cut("the source is gone");
        return;
      }
      if (chance.fault(60)) {
        cut("the network is cut");
        return;
      }
      try {
        delivery.to(reception.sink);
      } catch (IOException problem) {
        cut(problem.getMessage());
      }
    }

    /** Sooner or later the other end notices, behind what was on its way. */
    private void sourceGone() {
      lane.add(() -> cut("the source is gone"));
    }

    private void cut(String why) {
      if (broken == null) {
        broken = new StreamException(StreamException.Kind.BROKEN, why);
      }
      reception.broke(new StreamException(StreamException.Kind.BROKEN, why));
    }

    @Override
    public ChunkBuffer acquire() throws StreamException {
      requireOpen();
      ByteBuffer bytes = ByteBuffer.allocate(CHUNK_BYTES);
      return new ChunkBuffer() {
        @Override
        public ByteBuffer bytes() {
          return bytes;
        }

        @Override
        public void release() {
          // Nothing is pooled.
        }
      };
    }

    private ByteBuffer content(ChunkBuffer chunk) {
      ByteBuffer bytes = chunk.bytes().duplicate().flip();
      sent += bytes.remaining();
      return bytes;
    }

    @Override
    public void deviceState(ChunkBuffer chunk, long following) throws StreamException {
      ByteBuffer content = content(chunk);
      sentState += content.remaining();
      send(sink -> sink.deviceState(content, following));
    }

    @Override
    public void memory(ChunkBuffer chunk, int window, long offset) throws StreamException {
      ByteBuffer content = content(chunk);
      send(sink -> sink.memory(window, offset, content));
    }

    @Override
    public void paused(long pausedNanos) throws StreamException {
      send(sink -> sink.paused(pausedNanos));
    }

    @Override
    public void liftBandwidthLimit() {
      // There is none.
    }

    @Override
    public void end() throws StreamException {
      source.world().endMarkSent(source);
      send(
          sink -> {
            sink.complete();
            reception.loaded = true;
            if (!chance.fault(6)) {
              loadedHeard = true;
            } else {
              cut("the word of the destination is lost");
            }
          });
      if (chance.fault(10)) {
        // The mark is on its way although the sender is told otherwise.
        broken = new StreamException(StreamException.Kind.BROKEN, "cut while the end was sent");
        throw broken;
      }
    }

    @Override
    public void awaitLoaded(Duration timeout) throws StreamException {
      if (loadedHeard) {
        return;
      }
      requireOpen();
      throw new LoopThread.NotYet();
    }

    @Override
    public long deviceStateBytes() {
      return sentState;
    }

    @Override
    public long memoryBytes() {
      return sent - sentState;
    }

    @Override
    public long sentBytes() {
      return sent;
    }

    @Override
    public void close() {
      if (broken == null) {
        broken = new StreamException(StreamException.Kind.BROKEN, "closed here");
        lane.add(() -> cut("closed by the source"));
      }
    }
  }
}
