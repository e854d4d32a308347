package dev.vfio.migration.agent.stream.netty;

/**
 * What is said once on each connection before any frame. Its outer form is the same in all versions
 * of the stream, see {@link GreetingCodec}.
 */
sealed interface Greeting {
  /** The only version of the stream that exists. */
  int VERSION = 1;

  int TOKEN_BYTES = 32;

  /**
   * The source introduces itself.
   *
   * @param lowestVersion lowest stream version that the source speaks
   * @param highestVersion highest stream version that the source speaks
   * @param stream index of this connection, from 0
   * @param streams connections of this migration
   * @param chunkBytes the largest payload that will come
   * @param idleMillis silence after which the source takes the destination for dead
   * @param migration "uid/attempt"
   * @param token the one-time secret
   */
  record Hello(
      int lowestVersion,
      int highestVersion,
      int stream,
      int streams,
      int chunkBytes,
      int idleMillis,
      String migration,
      byte[] token)
      implements Greeting {
    /** Never shows the token. */
    @Override
    public String toString() {
      return String.format(
          "HELLO versions %s to %s, stream %s of %s, chunks of %s bytes, migration %s",
          lowestVersion, highestVersion, stream, streams, chunkBytes, migration);
    }
  }

  /**
   * The destination takes the connection.
   *
   * @param version the version that both speak from here on
   * @param idleMillis silence after which the destination takes the source for dead
   */
  record Welcome(int version, int idleMillis) implements Greeting {}

  /**
   * The destination does not take the connection; or the source does not take the destination.
   *
   * @param report code and text
   */
  record Refusal(ErrorReport report) implements Greeting {}
}
