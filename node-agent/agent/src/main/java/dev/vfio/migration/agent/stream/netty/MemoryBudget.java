package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import io.netty.util.internal.PlatformDependent;

/**
 * Direct memory for what is on its way between devices and network, in this process. A session
 * reserves what it may need before it begins; what is reserved is kept for it until its last buffer
 * came back, so that no session runs out of memory because another one began. Thread-safe.
 */
final class MemoryBudget {
  private static final long MIB = 1L << 20;

  /** What a connection needs besides its ring: what TLS holds on both of its sides. */
  static final long BYTES_PER_STREAM = MIB;

  private static final long LEAST_FOR_OTHERS = 32 * MIB;
  private static final long MAX_IDLE = 64 * MIB;

  private final long limit;
  private long reserved;

  /**
   * @param limit bytes that all sessions together may reserve
   */
  MemoryBudget(long limit) {
    this.limit = limit;
  }

  /**
   * Of the direct memory that this Java process may have (-XX:MaxDirectMemorySize, else the largest
   * heap), all but a quarter, 32 MiB at least: that is for what lies idle, for connections that are
   * not known yet, and for control and health.
   */
  static MemoryBudget ofThisProcess() {
    long all = PlatformDependent.estimateMaxDirectMemory();
    return new MemoryBudget(Math.max(0, all - Math.max(LEAST_FOR_OTHERS, all / 4)));
  }

  /** Bytes of buffers that may lie idle between migrations. */
  static long idleBytesOfThisProcess() {
    return Math.min(MAX_IDLE, PlatformDependent.estimateMaxDirectMemory() / 8);
  }

  long limit() {
    return limit;
  }

  synchronized long reserved() {
    return reserved;
  }

  /** Nothing yet; {@link Room#resize} reserves. */
  Room room(String whose) {
    return new Room(whose);
  }

  /**
   * What one session has reserved. Its owner and each of its buffers hold it; the last one frees.
   */
  final class Room {
    private final String whose;
    private long bytes;
    private int holders = 1;

    private Room(String whose) {
      this.whose = whose;
    }

    /**
     * Reserves that much instead of what was reserved.
     *
     * @throws StreamException NO_CAPACITY where others have reserved too much; nothing has changed
     *     then
     */
    void resize(long wanted) throws StreamException {
      synchronized (MemoryBudget.this) {
        long free = limit - reserved + bytes;
        if (wanted > free) {
          throw new StreamException(
              Kind.NO_CAPACITY,
              String.format(
                  "%s would take %s MiB of direct memory for what is on its way, and %s MiB of the"
                      + " %s MiB for all sessions of this agent are free. Ask for fewer streams,"
                      + " wait until other migrations have ended, or give the agent more memory"
                      + " (the container's limit, or -XX:MaxDirectMemorySize in its Java options).",
                  whose, mib(wanted), mib(Math.max(0, free)), mib(limit)));
        }
        reserved += wanted - bytes;
        bytes = wanted;
      }
    }

    /** One more buffer holds the room. */
    void hold() {
      synchronized (MemoryBudget.this) {
        holders++;
      }
    }

    /** To be called once for each {@link #hold}, and once by the owner. */
    void release() {
      synchronized (MemoryBudget.this) {
        if (--holders == 0) {
          reserved -= bytes;
          bytes = 0;
        }
      }
    }
  }

  /** Rounded up. */
  private static long mib(long bytes) {
    return (bytes + MIB - 1) / MIB;
  }
}
