package dev.vfio.migration.connections;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * The handler of a listening channel that bounds what unknown callers hold: memory, file
 * descriptors, time and log lines. To be given to {@code ServerBootstrap.handler}; it puts a {@link
 * NewConnection}, and a {@link StreamFaults} before it, first into the pipeline of each channel
 * that is accepted. Thread-safe.
 *
 * <p>Connections go through {@linkplain Stage stages} that cost a caller more and more, and each
 * has room of its own: a flood of connections that say nothing pushes out none that is in the
 * middle of its TLS handshake. One that is known counts no more, and nothing can push it out.
 */
@Sharable
public final class NewConnections extends ChannelInboundHandlerAdapter {

  /** How far an unknown connection is. */
  public enum Stage {
    /** Accepted; it has brought about no answer. These cost little, and a flood is made of them. */
    SILENT(4),
    /** Something was answered: a TLS handshake is under way, or a request was served. */
    ANSWERED(1),
    /** The caller has shown a certificate of our authority, and no more. */
    CERTIFIED(1);

    private final int share;

    Stage(int share) {
      this.share = share;
    }

    /** How many times the limits' numbers there may be of it. */
    int share() {
      return share;
    }

    static int shares() {
      return Arrays.stream(values()).mapToInt(Stage::share).sum();
    }
  }

  private final StreamFaults streamFaults = new StreamFaults();
  private final ConnectionLimits limits;
  private final RefusalLog log;
  private final boolean authenticates;
  private final Consumer<NewConnection> firstRecord;
  private final AtomicInteger open = new AtomicInteger();
  private final Map<Stage, UnknownConnections<NewConnection>> unknown = new EnumMap<>(Stage.class);

  private NewConnections(
      ConnectionLimits limits,
      RefusalLog log,
      boolean authenticates,
      Consumer<NewConnection> firstRecord) {
    this.limits = limits;
    this.log = log;
    this.authenticates = authenticates;
    this.firstRecord = firstRecord;
    for (Stage stage : Stage.values()) {
      unknown.put(
          stage,
          new UnknownConnections<>(
              stage.share() * limits.most(), stage.share() * limits.mostPerAddress()));
    }
  }

  /**
   * For a port where a caller says by TLS who it is; all its connection does until {@link
   * NewConnection#known} has to be done within the limits' time.
   *
   * @param firstRecord told of each connection whose first TLS record has come as a whole, in its
   *     event loop, before the record is handed on: what costs anything is to be made then, not
   *     when the connection is accepted
   */
  public static NewConnections authenticated(
      ConnectionLimits limits, RefusalLog log, Consumer<NewConnection> firstRecord) {
    return new NewConnections(limits, log, true, firstRecord);
  }

  /** For a port where nobody is ever known; each request has the limits' time. */
  public static NewConnections anonymous(ConnectionLimits limits, RefusalLog log) {
    return new NewConnections(limits, log, false, unused -> {});
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object accepted) {
    Channel channel = (Channel) accepted;
    if (open.incrementAndGet() > limits.descriptors()) {
      // Others cannot be closed as fast as these come. Synchronously, or descriptors would run out.
      open.decrementAndGet();
      channel.unsafe().closeForcibly();
      log.refused(
          "flood",
          () ->
              "refused a connection from "
                  + channel.remoteAddress()
                  + ": more come than can be dropped");
      return;
    }
    NewConnection connection = new NewConnection(this, channel);
    channel.pipeline().addFirst(streamFaults, connection);
    channel.closeFuture().addListener(closed -> connection.closed());
    context.fireChannelRead(channel);
    connection.reached(Stage.SILENT);
  }

  boolean authenticates() {
    return authenticates;
  }

  ConnectionLimits limits() {
    return limits;
  }

  RefusalLog log() {
    return log;
  }

  void firstRecord(NewConnection connection) {
    firstRecord.accept(connection);
  }

  /** The connection that must go for it, or null. */
  NewConnection enter(Stage stage, NewConnection connection, AddressBlock address) {
    return unknown.get(stage).add(connection, address);
  }

  void leave(Stage stage, NewConnection connection) {
    unknown.get(stage).remove(connection);
  }

  /** A connection is known, or has been closed. */
  void release() {
    open.decrementAndGet();
  }

  /** Unknown connections of that stage; for tests. */
  public int unknown(Stage stage) {
    return unknown.get(stage).size();
  }

  /** Connections that are not known and not closed yet; for tests. */
  public int open() {
    return open.get();
  }
}
