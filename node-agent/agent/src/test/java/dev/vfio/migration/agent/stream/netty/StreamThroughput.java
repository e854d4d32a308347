package dev.vfio.migration.agent.stream.netty;

import com.sun.management.OperatingSystemMXBean;
import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StateStreams.Expected;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.DoubleStream;

/**
 * Measures, never a test: moves incompressible bytes through the state stream over loopback, and in
 * turn the same bytes through a plain TLS channel of the same library with the same socket options.
 * Device access is not part of it. Prints every round and the medians.
 *
 * <p>Arguments: {@code bytes} (default 2147483648), {@code chunk bytes} (1048576), {@code streams}
 * (1), {@code rounds} (5).
 */
final class StreamThroughput {
  private static final double GIGA = 1e9;

  private final Path work;
  private final long bytes;
  private final int chunkBytes;
  private final int streams;

  private StreamThroughput(Path work, long bytes, int chunkBytes, int streams) {
    this.work = work;
    this.bytes = bytes;
    this.chunkBytes = chunkBytes;
    this.streams = streams;
  }

  public static void main(String[] arguments) throws Exception {
    long bytes = argument(arguments, 0, 2L << 30);
    int chunkBytes = (int) argument(arguments, 1, 1 << 20);
    int streams = (int) argument(arguments, 2, 1);
    int rounds = (int) argument(arguments, 3, 5);
    Path work = Files.createTempDirectory("stream-throughput");
    try {
      StreamThroughput measured = new StreamThroughput(work, bytes, chunkBytes, streams);
      List<Round> plain = new ArrayList<>();
      List<Round> stream = new ArrayList<>();
      System.out.printf(
          Locale.ROOT,
          "%d bytes, chunks of %d bytes, %d stream(s), %d processors%n",
          bytes,
          chunkBytes,
          streams,
          Runtime.getRuntime().availableProcessors());
      try (TwoNodes nodes = new TwoNodes(work);
          PlainTlsCopy copy = new PlainTlsCopy(nodes.sourceTls, nodes.destinationTls)) {
        for (int round = 0; round <= rounds; round++) {
          Round plainNow = timed(bytes, () -> copy.run(bytes, chunkBytes, streams));
          Round streamNow = timed(bytes, () -> measured.stream(nodes));
          report(round == 0 ? "warm-up" : "round " + round, plainNow, streamNow);
          if (round > 0) {
            plain.add(plainNow);
            stream.add(streamNow);
          }
        }
      }
      report("median", median(plain), median(stream));
    } finally {
      for (String each : List.of("a", "b")) {
        for (String file : List.of("tls.crt", "tls.key", "ca.crt")) {
          Files.deleteIfExists(work.resolve(each).resolve(file));
        }
        Files.deleteIfExists(work.resolve(each));
      }
      Files.delete(work);
    }
  }

  private static long argument(String[] arguments, int index, long otherwise) {
    return arguments.length > index ? Long.parseLong(arguments[index]) : otherwise;
  }

  /** Speed in GB/s, and processor seconds of the whole process per GB. */
  private record Round(double speed, double processorSeconds) {}

  private static Round timed(long bytes, Callable<Double> copy) throws Exception {
    OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    long before = system.getProcessCpuTime();
    double speed = copy.call() / GIGA;
    return new Round(speed, (double) (system.getProcessCpuTime() - before) / bytes);
  }

  private static void report(String what, Round plain, Round stream) {
    System.out.printf(
        Locale.ROOT,
        "%s: plain TLS %.2f GB/s (%.2f CPU s/GB), state stream %.2f GB/s (%.2f CPU s/GB),"
            + " ratio %.2f%n",
        what,
        plain.speed(),
        plain.processorSeconds(),
        stream.speed(),
        stream.processorSeconds(),
        stream.speed() / plain.speed());
  }

  private static Round median(List<Round> rounds) {
    return new Round(
        median(rounds.stream().mapToDouble(Round::speed)),
        median(rounds.stream().mapToDouble(Round::processorSeconds)));
  }

  private static double median(DoubleStream values) {
    double[] sorted = values.sorted().toArray();
    return sorted[sorted.length / 2];
  }

  /** Bytes per second through the state stream, from the first send to LOADED. */
  private double stream(TwoNodes nodes) throws Exception {
    CountingSink sink = new CountingSink();
    Expected expected = new Expected(TwoNodes.MIGRATION, TwoNodes.SOURCE, streams);
    try (Awaited awaited = nodes.destination.await(expected, sink);
        StateSender sender =
            nodes.source.connect(
                new Destination(
                    TwoNodes.MIGRATION,
                    TwoNodes.DESTINATION,
                    "127.0.0.1",
                    nodes.destination.port(),
                    awaited.token(),
                    streams,
                    0,
                    chunkBytes))) {
      byte[] random = new byte[chunkBytes];
      new Random(1).nextBytes(random);
      Set<ByteBuffer> filled = Collections.newSetFromMap(new IdentityHashMap<>());
      long begin = System.nanoTime();
      long sent = 0;
      for (int number = 0; sent < bytes; number++) {
        ChunkBuffer chunk = sender.acquire();
        ByteBuffer content = chunk.bytes();
        if (filled.add(content)) {
          content.put(random);
        }
        content.position(chunkBytes);
        if (streams == 1) {
          sender.deviceState(chunk);
        } else {
          sender.memory(chunk, 0, (long) number * chunkBytes);
        }
        sent += chunkBytes;
      }
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      double seconds = (System.nanoTime() - begin) / GIGA;
      if (sink.bytes.get() != sent) {
        throw new IllegalStateException(sink.bytes.get() + " of " + sent + " bytes came");
      }
      return sent / seconds;
    }
  }

  private static final class CountingSink extends RecordingSink {
    private final AtomicLong bytes = new AtomicLong();

    @Override
    public void deviceState(ByteBuffer chunk) {
      bytes.addAndGet(chunk.remaining());
    }

    @Override
    public void memory(int window, long offset, ByteBuffer content) {
      bytes.addAndGet(content.remaining());
    }
  }
}
