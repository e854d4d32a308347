package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StateStreams.Expected;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.connections.ConnectionLimits;
import dev.vfio.migration.connections.certificates.NodeNames;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.LongSupplier;

/** Two agents' state streams on loopback, with certificates of one authority. */
final class TwoNodes implements AutoCloseable {
  static final String MIGRATION = "3f1c0a52-6b52-4b5e-9d0f-3f2a0c1d7e11/1";
  static final String SOURCE = "node-a";
  static final String DESTINATION = "node-b";
  static final int CHUNK = 64 * 1024;

  /** For what comes about at once, on a machine whose processors may be busy with other things. */
  static final Duration TIMEOUT = Duration.ofSeconds(40);

  final TestAuthority authority;
  final Path sourceTls;
  final Path destinationTls;
  final NettyStateStreams source;
  final NettyStateStreams destination;

  TwoNodes(Path work) throws IOException {
    this(work, quick());
  }

  TwoNodes(Path work, StreamSettings settings) throws IOException {
    this(work, settings, settings, System::nanoTime);
  }

  TwoNodes(
      Path work, StreamSettings atSource, StreamSettings atDestination, LongSupplier sourceClock)
      throws IOException {
    authority = new TestAuthority("migration test authority");
    sourceTls = authority.issue(work.resolve("a"), NodeNames.of(SOURCE));
    destinationTls = authority.issue(work.resolve("b"), NodeNames.of(DESTINATION));
    source =
        new NettyStateStreams(
            anyPort(), atSource, sourceClock, new TlsIdentity(sourceTls), new Transport(atSource));
    destination = new NettyStateStreams(anyPort(), destinationTls, atDestination);
  }

  /** Whose destination has these limits. */
  TwoNodes(Path work, ConnectionLimits unknown, MemoryBudget atSource, MemoryBudget atDestination)
      throws IOException {
    this(work, quick(), unknown, atSource, atDestination);
  }

  private TwoNodes(
      Path work,
      StreamSettings settings,
      ConnectionLimits unknown,
      MemoryBudget atSource,
      MemoryBudget atDestination)
      throws IOException {
    authority = new TestAuthority("migration test authority");
    sourceTls = authority.issue(work.resolve("a"), NodeNames.of(SOURCE));
    destinationTls = authority.issue(work.resolve("b"), NodeNames.of(DESTINATION));
    source = node(settings, sourceTls, NettyStateStreams.usualLimits(settings), atSource);
    destination = node(settings, destinationTls, unknown, atDestination);
  }

  private static NettyStateStreams node(
      StreamSettings settings, Path tls, ConnectionLimits unknown, MemoryBudget budget)
      throws IOException {
    return new NettyStateStreams(
        anyPort(),
        settings,
        System::nanoTime,
        new TlsIdentity(tls),
        new Transport(settings),
        unknown,
        budget);
  }

  TwoNodes(
      TestAuthority authority,
      Path sourceTls,
      Path destinationTls,
      NettyStateStreams source,
      NettyStateStreams destination) {
    this.authority = authority;
    this.sourceTls = sourceTls;
    this.destinationTls = destinationTls;
    this.source = source;
    this.destination = destination;
  }

  /** Defaults, but with an end that gives up soon, whether or not the other one has read why. */
  static StreamSettings quick() {
    return StreamSettings.defaults()
        .withIdleAndClose(Duration.ofSeconds(20), Duration.ofSeconds(2));
  }

  /** Defaults, but with an end that leaves a slow one all the time to read why it closes. */
  static StreamSettings patient() {
    return StreamSettings.defaults()
        .withIdleAndClose(Duration.ofSeconds(20), Duration.ofSeconds(30));
  }

  static InetSocketAddress anyPort() {
    return new InetSocketAddress("127.0.0.1", 0);
  }

  Awaited await(int streams, StateSink sink) throws StreamException {
    return destination.await(new Expected(MIGRATION, SOURCE, streams), sink);
  }

  Destination to(Awaited awaited, int streams) {
    return to(awaited.token(), streams, 0);
  }

  Destination to(byte[] token, int streams, long bandwidthLimit) {
    return new Destination(
        MIGRATION,
        DESTINATION,
        "127.0.0.1",
        destination.port(),
        token,
        streams,
        bandwidthLimit,
        CHUNK);
  }

  Destination through(Relay relay, Awaited awaited, int streams) {
    return through(relay.port(), awaited, streams);
  }

  Destination through(int port, Awaited awaited, int streams) {
    Destination direct = to(awaited, streams);
    return new Destination(
        MIGRATION,
        DESTINATION,
        "127.0.0.1",
        port,
        direct.token(),
        streams,
        direct.bandwidthLimit(),
        CHUNK);
  }

  StateSender connect(Awaited awaited, int streams) throws IOException, InterruptedException {
    return source.connect(to(awaited, streams));
  }

  static void sendState(StateSender sender, byte[] bytes)
      throws StreamException, InterruptedException {
    ChunkBuffer chunk = sender.acquire();
    chunk.bytes().put(bytes);
    sender.deviceState(chunk);
  }

  static void sendMemory(StateSender sender, int window, long offset, ByteBuffer content)
      throws StreamException, InterruptedException {
    ChunkBuffer chunk = sender.acquire();
    chunk.bytes().put(content);
    sender.memory(chunk, window, offset);
  }

  @Override
  public void close() {
    source.close();
    destination.close();
  }
}
