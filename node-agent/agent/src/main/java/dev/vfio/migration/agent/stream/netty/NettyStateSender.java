package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.SendRing.Chunk;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The source's end over its connections. Sums and numbers frames in the caller's thread; encrypts
 * and writes in the event loops. A connection that is lost is no failure while its stream may come
 * back. The first failure counts: it closes every connection, wakes whoever waits, and every later
 * call fails with it.
 */
final class NettyStateSender implements StateSender, OutgoingStream.Owner {
  private final Destination destination;
  private final Placement placement;
  private final SendRing ring;
  private final AtomicLong sentBytes;
  private final List<OutgoingStream> streams = new ArrayList<>();
  private final AtomicReference<StreamException> failure = new AtomicReference<>();
  private final CompletableFuture<byte[]> loaded = new CompletableFuture<>();
  private byte[] expectedDigest;
  private long deviceStateBytes;
  private long memoryBytes;

  NettyStateSender(Destination destination, SendRing ring, AtomicLong sentBytes) {
    this.destination = destination;
    this.placement = new Placement(destination.streams(), destination.chunkBytes());
    this.ring = ring;
    this.sentBytes = sentBytes;
  }

  /** Before it is handed to anyone; stream 0 first. */
  void add(OutgoingStream stream) {
    streams.add(stream);
  }

  List<OutgoingStream> streams() {
    return streams;
  }

  @Override
  public ChunkBuffer acquire() throws StreamException, InterruptedException {
    return ring.acquire();
  }

  @Override
  public void deviceState(ChunkBuffer part, long following) throws StreamException {
    Chunk own = own(part);
    ByteBuffer content = content(own);
    requireOpen(own);
    own.sendIn(1);
    ring.spend(content.remaining());
    deviceStateBytes += content.remaining();
    window(0).send(FrameType.DEVICE_STATE, 0, following, content, own::partDone);
  }

  @Override
  public void memory(ChunkBuffer chunk, int window, long offset) throws StreamException {
    Chunk own = own(chunk);
    ByteBuffer content = content(own);
    int length = content.remaining();
    if (window < 0 || offset < 0 || length == 0 || offset > Long.MAX_VALUE - length) {
      throw new IllegalArgumentException(
          length + " bytes at offset " + offset + " of window " + window);
    }
    requireOpen(own);
    memoryBytes += length;
    int first = placement.withinBlock(offset, length);
    own.sendIn(first == length ? 1 : 2);
    ring.spend(length);
    sendMemory(own, content.slice(0, first), window, offset);
    if (first < length) {
      sendMemory(own, content.slice(first, length - first), window, offset + first);
    }
  }

  private void sendMemory(Chunk chunk, ByteBuffer part, int window, long offset) {
    int stream = placement.streamOf(window, offset);
    window(stream).send(FrameType.MEMORY, window, offset, part, chunk::partDone);
  }

  @Override
  public void paused(long pausedNanos) throws StreamException {
    requireOpen();
    ByteBuffer payload = ByteBuffer.allocate(Long.BYTES).putLong(pausedNanos).flip();
    window(0).sendSmall(FrameType.PAUSED, payload);
  }

  @Override
  public void liftBandwidthLimit() {
    ring.liftLimit();
    streams.forEach(OutgoingStream::paused);
  }

  @Override
  public void end() throws StreamException {
    requireOpen();
    List<byte[]> digests = new ArrayList<>();
    for (OutgoingStream stream : streams) {
      digests.add(stream.window().sendEnd());
    }
    expectedDigest = LoadedDigest.of(digests);
  }

  @Override
  public void awaitLoaded(Duration timeout) throws StreamException, InterruptedException {
    if (expectedDigest == null) {
      throw new IllegalStateException("the end mark was not sent");
    }
    try {
      byte[] heard = loaded.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
      if (!Arrays.equals(heard, expectedDigest)) {
        throw new StreamException(
            Kind.CORRUPT,
            String.format(
                "node %s says that it holds the state of migration %s, but its digest is not that"
                    + " of what was sent",
                destination.node(), destination.migration()));
      }
    } catch (TimeoutException unheard) {
      throw new StreamException(
          Kind.BROKEN,
          String.format(
              "node %s did not say within %s ms that it holds the state of migration %s; it may"
                  + " hold it or not",
              destination.node(), timeout.toMillis(), destination.migration()),
          unheard);
    } catch (ExecutionException broken) {
      throw failureOf(broken);
    }
  }

  /** What failed this; null while nothing did. */
  StreamException firstFailure() {
    return failure.get();
  }

  /** The same failure, as it meets another thread. */
  static StreamException again(StreamException why) {
    return new StreamException(why.kind(), why.getMessage(), why);
  }

  static StreamException failureOf(ExecutionException wrapped) {
    if (wrapped.getCause() instanceof StreamException why) {
      return again(why);
    }
    return new StreamException(
        Kind.BROKEN, "the state stream failed: " + wrapped.getCause(), wrapped.getCause());
  }

  @Override
  public long deviceStateBytes() {
    return deviceStateBytes;
  }

  @Override
  public long memoryBytes() {
    return memoryBytes;
  }

  @Override
  public long sentBytes() {
    return sentBytes.get();
  }

  @Override
  public void close() {
    failed(SendRing.closedHere());
  }

  @Override
  public void failed(StreamException why) {
    if (failure.compareAndSet(null, why)) {
      ring.end(why);
      loaded.completeExceptionally(why);
      streams.forEach(OutgoingStream::close);
    }
  }

  @Override
  public void loaded(byte[] digest) {
    loaded.complete(digest);
    streams.forEach(OutgoingStream::stopWatching);
  }

  private SendWindow window(int index) {
    return streams.get(index).window();
  }

  private Chunk own(ChunkBuffer chunk) {
    if (chunk instanceof Chunk own && own.isOf(ring)) {
      return own;
    }
    throw new IllegalArgumentException("the chunk buffer is not one of this sender");
  }

  private static ByteBuffer content(Chunk chunk) {
    return chunk.bytes().duplicate().flip();
  }

  /** A chunk that cannot be sent any more goes back. */
  private void requireOpen(Chunk chunk) throws StreamException {
    try {
      requireOpen();
    } catch (StreamException | IllegalStateException ended) {
      chunk.release();
      throw ended;
    }
  }

  private void requireOpen() throws StreamException {
    StreamException why = failure.get();
    if (why != null) {
      throw again(why);
    }
    if (expectedDigest != null) {
      throw new IllegalStateException("the end mark was sent; nothing may follow it");
    }
  }
}
