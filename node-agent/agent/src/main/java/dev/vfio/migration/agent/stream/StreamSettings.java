package dev.vfio.migration.agent.stream;

import java.time.Duration;

/**
 * Limits and timeouts of the state stream. Times are rounded to milliseconds.
 *
 * @param maximumChunkBytes the largest payload a destination takes, in bytes, 4 KiB to 64 MiB; a
 *     HELLO that announces more is refused
 * @param sendBuffers chunk buffers that a sender fills and writes at a time, 2 to 1024; fewer where
 *     they would exceed 32 MiB together, but two at least. As many again hold what was written and
 *     is not taken yet
 * @param receiveBuffers chunks that a destination holds per connection while its sink works, 2 to
 *     1024; fewer where they would exceed 32 MiB together, but two at least
 * @param maximumStreams connections of one migration, 1 to 64
 * @param connectTimeout until TCP is connected
 * @param handshakeTimeout until TLS is agreed
 * @param helloTimeout until HELLO has come (destination) or was answered (source)
 * @param idleTimeout silence after which the other end is taken for dead, at least 100 ms. Each end
 *     tells the other, which then sends a PING after half of it whenever it has nothing to say
 * @param closeTimeout how long an end that gives up waits for the other one to read why, and for a
 *     sink's method to return before {@link StateSink#broken} is called regardless
 * @param resumeTime how long a source tries to connect a stream again whose connection was lost,
 *     while the workload runs; a destination waits twice as long for it. At least 1 ms
 * @param pausedResumeTime the same while the workload stands still, at the source alone
 * @param socketSendBytes SO_SNDBUF in bytes; 0 leaves it to the kernel, which grows it as the path
 *     needs (a fixed value above net.core.wmem_max is cut silently)
 * @param socketReceiveBytes SO_RCVBUF in bytes; 0 leaves it to the kernel
 * @param eventLoops threads that encrypt and decrypt; 0 is one per processor, at least 2
 */
public record StreamSettings(
    int maximumChunkBytes,
    int sendBuffers,
    int receiveBuffers,
    int maximumStreams,
    Duration connectTimeout,
    Duration handshakeTimeout,
    Duration helloTimeout,
    Duration idleTimeout,
    Duration closeTimeout,
    Duration resumeTime,
    Duration pausedResumeTime,
    int socketSendBytes,
    int socketReceiveBytes,
    int eventLoops) {
  private static final int KIB = 1024;
  private static final int MIB = 1024 * KIB;

  /** Where chunks are large, fewer buffers than were allowed are used, but never fewer than two. */
  private static final int BUFFER_BUDGET_BYTES = 32 * MIB;

  private static final int FEWEST_BUFFERS = 2;

  /** Of all connections of a receiving session together, likewise. */
  private static final int SESSION_BUDGET_BYTES = 128 * MIB;

  /** Window content travels in chunks of at least this size, whatever the device's own is. */
  static final int MIN_CHUNK_BYTES = MIB;

  /** Chunks of all streams together, where one of each is on its way. */
  private static final int CHUNKS_BUDGET_BYTES = 32 * MIB;

  /** An end that is to be pinged more often than this is refused. */
  public static final int MIN_IDLE_MILLIS = 100;

  public StreamSettings {
    requireRange("maximumChunkBytes", maximumChunkBytes, 4 * KIB, 64 * MIB);
    requireRange("sendBuffers", sendBuffers, 2, 1024);
    requireRange("receiveBuffers", receiveBuffers, 2, 1024);
    requireRange("maximumStreams", maximumStreams, 1, 64);
    requireRange("socketSendBytes", socketSendBytes, 0, Integer.MAX_VALUE);
    requireRange("socketReceiveBytes", socketReceiveBytes, 0, Integer.MAX_VALUE);
    requireRange("eventLoops", eventLoops, 0, 1024);
    requireTime("connectTimeout", connectTimeout, 1);
    requireTime("handshakeTimeout", handshakeTimeout, 1);
    requireTime("helloTimeout", helloTimeout, 1);
    requireTime("idleTimeout", idleTimeout, MIN_IDLE_MILLIS);
    requireTime("closeTimeout", closeTimeout, 1);
    requireTime("resumeTime", resumeTime, 1);
    requireTime("pausedResumeTime", pausedResumeTime, 1);
  }

  /**
   * Chunks of up to 8 MiB; 8 send buffers; 4 receive buffers; 16 streams; 10 s to connect, to agree
   * on TLS and to be welcomed; 15 s of silence; 5 s to close; 5 s to connect again, 2 s where the
   * workload stands still; socket buffers by the kernel; one event loop per processor.
   */
  public static StreamSettings defaults() {
    Duration timeout = Duration.ofSeconds(10);
    return new StreamSettings(
        8 * MIB,
        8,
        4,
        16,
        timeout,
        timeout,
        timeout,
        Duration.ofSeconds(15),
        Duration.ofSeconds(5),
        Duration.ofSeconds(5),
        Duration.ofSeconds(2),
        0,
        0,
        0);
  }

  /** The same, with other buffers per sender and per receiving connection. */
  public StreamSettings withBuffers(int send, int receive) {
    return new StreamSettings(
        maximumChunkBytes,
        send,
        receive,
        maximumStreams,
        connectTimeout,
        handshakeTimeout,
        helloTimeout,
        idleTimeout,
        closeTimeout,
        resumeTime,
        pausedResumeTime,
        socketSendBytes,
        socketReceiveBytes,
        eventLoops);
  }

  /** The same, with another largest chunk, in bytes. */
  public StreamSettings withMaximumChunkBytes(int bytes) {
    return new StreamSettings(
        bytes,
        sendBuffers,
        receiveBuffers,
        maximumStreams,
        connectTimeout,
        handshakeTimeout,
        helloTimeout,
        idleTimeout,
        closeTimeout,
        resumeTime,
        pausedResumeTime,
        socketSendBytes,
        socketReceiveBytes,
        eventLoops);
  }

  /** The same, with other timeouts for a new connection's steps. */
  public StreamSettings withConnectionTimeouts(
      Duration connect, Duration handshake, Duration hello) {
    return new StreamSettings(
        maximumChunkBytes,
        sendBuffers,
        receiveBuffers,
        maximumStreams,
        connect,
        handshake,
        hello,
        idleTimeout,
        closeTimeout,
        resumeTime,
        pausedResumeTime,
        socketSendBytes,
        socketReceiveBytes,
        eventLoops);
  }

  /** The same, with other timeouts for a silent and for a closing connection. */
  public StreamSettings withIdleAndClose(Duration idle, Duration close) {
    return new StreamSettings(
        maximumChunkBytes,
        sendBuffers,
        receiveBuffers,
        maximumStreams,
        connectTimeout,
        handshakeTimeout,
        helloTimeout,
        idle,
        close,
        resumeTime,
        pausedResumeTime,
        socketSendBytes,
        socketReceiveBytes,
        eventLoops);
  }

  /** The same, with other times to connect again: while the workload runs, and stands still. */
  public StreamSettings withResume(Duration running, Duration paused) {
    return new StreamSettings(
        maximumChunkBytes,
        sendBuffers,
        receiveBuffers,
        maximumStreams,
        connectTimeout,
        handshakeTimeout,
        helloTimeout,
        idleTimeout,
        closeTimeout,
        running,
        paused,
        socketSendBytes,
        socketReceiveBytes,
        eventLoops);
  }

  /**
   * Buffers of a sender for chunks of that size: those that it fills and writes, and as many again
   * that were written and are not taken yet, so that waiting for the destination's word costs no
   * throughput.
   */
  public int sendWindowFor(int chunkBytes) {
    return 2 * sendBuffersFor(chunkBytes);
  }

  /** How long a destination waits for a stream whose connection was lost. */
  public Duration awaitResumeTime() {
    return resumeTime.multipliedBy(2);
  }

  /** Buffers that a sender fills and writes at a time: within 32 MiB, but two at least. */
  public int sendBuffersFor(int chunkBytes) {
    return within(sendBuffers, chunkBytes);
  }

  /** Chunks of that size that a connection holds: within 32 MiB, but two at least. */
  public int receiveBuffersFor(int chunkBytes) {
    return within(receiveBuffers, chunkBytes);
  }

  /** The same for each connection of that many: also within 128 MiB for all of them. */
  public int receiveBuffersFor(int chunkBytes, int streams) {
    int each = Math.max(FEWEST_BUFFERS, SESSION_BUDGET_BYTES / streams / chunkBytes);
    return Math.min(receiveBuffersFor(chunkBytes), each);
  }

  /**
   * The chunks that a source announces: as large as its device hands them out, but smaller where
   * there are many streams, for the other end holds some for each of them. A larger chunk of device
   * state travels in parts.
   *
   * @param deviceBytes the device's own, at least 1
   * @return 1 MiB to 32 MiB
   */
  public static int chunkBytes(long deviceBytes, int streams) {
    long most = Math.max(MIN_CHUNK_BYTES, CHUNKS_BUDGET_BYTES / streams);
    return (int) Math.min(most, Math.max(MIN_CHUNK_BYTES, deviceBytes));
  }

  private static int within(int buffers, int chunkBytes) {
    return Math.min(buffers, Math.max(FEWEST_BUFFERS, BUFFER_BUDGET_BYTES / chunkBytes));
  }

  /** What an accepted connection may take to say who it is, and to hear that it took too long. */
  public Duration introductionTime() {
    return handshakeTimeout.plus(helloTimeout).plus(closeTimeout);
  }

  /** How long after its first try a source opens a connection again that was dropped. */
  public Duration retryTime() {
    return connectTimeout.plus(handshakeTimeout);
  }

  /** Each step of a connection has a timeout of its own; this bounds all of them together. */
  public long connectionMillis() {
    return connectTimeout.plus(handshakeTimeout).plus(helloTimeout).plus(closeTimeout).toMillis();
  }

  public int idleMillis() {
    return (int) idleTimeout.toMillis();
  }

  private static void requireRange(String name, int value, int lowest, int highest) {
    if (value < lowest || value > highest) {
      throw new IllegalArgumentException(
          name + " is " + value + "; " + lowest + " to " + highest + " are allowed");
    }
  }

  private static void requireTime(String name, Duration value, long lowestMillis) {
    if (value.toMillis() < lowestMillis || value.toMillis() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          name + " is " + value + "; " + lowestMillis + " ms to 24 days are allowed");
    }
  }
}
