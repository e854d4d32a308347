package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StreamException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/** Keeps what a stream delivers, and how it ended. */
class RecordingSink implements StateSink {
  final CountDownLatch started = new CountDownLatch(1);
  final AtomicInteger starts = new AtomicInteger();
  final AtomicInteger completions = new AtomicInteger();
  final AtomicInteger breaks = new AtomicInteger();
  final CompletableFuture<StreamException> broken = new CompletableFuture<>();
  private final ByteArrayOutputStream deviceState = new ByteArrayOutputStream();
  private final List<Integer> chunkLengths = new ArrayList<>();
  private final List<String> order = new ArrayList<>();
  private final Map<Integer, byte[]> windows = new TreeMap<>();

  RecordingSink window(int index, int bytes) {
    windows.put(index, new byte[bytes]);
    return this;
  }

  @Override
  public void started() {
    starts.incrementAndGet();
    started.countDown();
  }

  @Override
  public final void deviceState(ByteBuffer part, long following) throws IOException {
    if (following > 0) {
      synchronized (this) {
        order.add("part, " + following + " follow");
      }
    }
    deviceState(part);
  }

  void deviceState(ByteBuffer chunk) throws IOException {
    byte[] bytes = new byte[chunk.remaining()];
    chunk.get(bytes);
    synchronized (this) {
      deviceState.write(bytes);
      chunkLengths.add(bytes.length);
      order.add("device state " + bytes.length);
    }
  }

  @Override
  public void memory(int window, long offset, ByteBuffer content) throws IOException {
    synchronized (this) {
      byte[] target = windows.get(window);
      if (target == null) {
        throw new IOException("there is no window " + window);
      }
      content.get(target, Math.toIntExact(offset), content.remaining());
    }
  }

  @Override
  public synchronized void paused(long pausedNanos) {
    order.add("paused " + pausedNanos);
  }

  @Override
  public void complete() throws IOException {
    completions.incrementAndGet();
  }

  @Override
  public void broken(StreamException why) {
    breaks.incrementAndGet();
    broken.complete(why);
  }

  synchronized byte[] deviceStateBytes() {
    return deviceState.toByteArray();
  }

  synchronized List<Integer> chunkLengths() {
    return List.copyOf(chunkLengths);
  }

  synchronized List<String> order() {
    return List.copyOf(order);
  }

  synchronized byte[] windowBytes(int index) {
    return windows.get(index).clone();
  }
}
