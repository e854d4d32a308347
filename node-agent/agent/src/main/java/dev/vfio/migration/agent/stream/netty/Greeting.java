package dev.vfio.migration.agent.stream.netty;

/**
 * What is said once on each connection before any frame. Its outer form is the same in all versions
 * of the stream, see {@link GreetingCodec}.
 */
sealed interface Greeting {
  /** The lowest version of the stream that this agent speaks. */
  int LOWEST_VERSION = 1;

  /** The version since which a lost connection is made again. */
  int RESUMABLE_VERSION = 2;

  /** The highest version of the stream that this agent speaks. */
  int VERSION = 2;

  int TOKEN_BYTES = 32;

  int KEY_BYTES = 16;

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
   * The source comes back with a stream whose connection was lost. Since version 2.
   *
   * @param lowestVersion lowest stream version that the source speaks
   * @param highestVersion highest stream version that the source speaks
   * @param stream index of the stream
   * @param idleMillis silence after which the source takes the destination for dead
   * @param migration "uid/attempt"
   * @param token the secret of HELLO
   * @param key what WELCOME gave for this stream
   */
  record Resume(
      int lowestVersion,
      int highestVersion,
      int stream,
      int idleMillis,
      String migration,
      byte[] token,
      byte[] key)
      implements Greeting {
    /** Never shows token and key. */
    @Override
    public String toString() {
      return String.format("RESUME stream %s, migration %s", stream, migration);
    }
  }

  /**
   * The destination takes the connection.
   *
   * @param version the version that both speak from here on
   * @param idleMillis silence after which the destination takes the source for dead
   * @param key since version 2: what RESUME must present for this stream; before it empty
   * @param next since version 2: number of the frame that the destination expects; before it 0
   */
  record Welcome(int version, int idleMillis, byte[] key, long next) implements Greeting {
    /** Of version 1. */
    Welcome(int version, int idleMillis) {
      this(version, idleMillis, new byte[0], 0);
    }

    /** Never shows the key. */
    @Override
    public String toString() {
      return String.format("WELCOME version %s, frame %s is next", version, next);
    }
  }

  /**
   * The destination does not take the connection; or the source does not take the destination.
   *
   * @param report code and text
   */
  record Refusal(ErrorReport report) implements Greeting {}
}
