package dev.vfio.migration.agent.stream;

/** The network, as a session sees it. */
public interface StateStreams {

  /**
   * What a source needs to reach its destination.
   *
   * @param migration "uid/attempt"
   * @param node the destination's node name; its certificate must carry it
   * @param host address of the destination's agent
   * @param port TCP port, 1 to 65535
   * @param token the one-time secret
   * @param streams connections to open, at least 1
   * @param bandwidthLimit payload bytes per second over all connections, 0 for none
   * @param chunkBytes the largest chunk that will be sent
   */
  record Destination(
      String migration,
      String node,
      String host,
      int port,
      byte[] token,
      int streams,
      long bandwidthLimit,
      int chunkBytes) {}

  /**
   * What a destination waits for.
   *
   * @param migration "uid/attempt"
   * @param node the source's node name; its certificate must carry it
   * @param streams connections it will open
   */
  record Expected(String migration, String node, int streams) {}

  /** A waiting destination. Closing it refuses and breaks all of its connections. */
  interface Awaited extends AutoCloseable {
    /** The one-time secret; a connection that presents it twice is refused. */
    byte[] token();

    @Override
    void close();
  }

  /** Connects every stream and authenticates. */
  StateSender connect(Destination destination) throws StreamException, InterruptedException;

  /** Accepts the streams of one migration into that sink, until closed. */
  Awaited await(Expected expected, StateSink sink);

  /** The TCP port that destinations listen on. */
  int port();
}
