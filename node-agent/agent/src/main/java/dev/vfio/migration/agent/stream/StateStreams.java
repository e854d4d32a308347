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
   * @param chunkBytes the largest chunk that it will send, as far as that is known
   */
  record Expected(String migration, String node, int streams, int chunkBytes) {

    /** One whose chunks are as small as they can be. */
    public Expected(String migration, String node, int streams) {
      this(migration, node, streams, StreamSettings.MIN_CHUNK_BYTES);
    }
  }

  /** Memory that is reserved for a destination. Closing it frees what nothing uses any more. */
  interface Room extends AutoCloseable {
    @Override
    void close();
  }

  /** A waiting destination. Closing it refuses and breaks all of its connections. */
  interface Awaited extends AutoCloseable {
    /** The one-time secret; a connection that presents it twice is refused. */
    byte[] token();

    @Override
    void close();
  }

  /**
   * Connects every stream and authenticates.
   *
   * @throws StreamException NO_CAPACITY where this end has not the memory for it now; nothing was
   *     connected then
   */
  StateSender connect(Destination destination) throws StreamException, InterruptedException;

  /**
   * Reserves what {@link #await} will need, so that it can be refused before anything is touched.
   * What a simulation moves takes no memory.
   *
   * @throws StreamException NO_CAPACITY where others have reserved too much; the message says what
   *     is needed, what is free, and what to do
   */
  default Room reserve(Expected expected) throws StreamException {
    return () -> {};
  }

  /**
   * Accepts the streams of one migration into that sink, until closed.
   *
   * @throws StreamException NO_CAPACITY where nothing was reserved before, and there is no memory
   */
  Awaited await(Expected expected, StateSink sink) throws StreamException;

  /** The TCP port that destinations listen on. */
  int port();
}
