package dev.vfio.migration.agent.stream.netty;

import java.util.Optional;

/** What a frame carries. Codes and payload sizes are part of the stream's version. */
enum FrameType {
  /** A chunk of device state, or a part of one, in order, on stream 0 only. */
  DEVICE_STATE(1, Direction.TO_DESTINATION),
  /** Content of a DMA window at (window, offset). */
  MEMORY(2, Direction.TO_DESTINATION),
  /** The workload stands still: u64 nanoseconds since its pause was asked for. */
  PAUSED(3, Direction.TO_DESTINATION),
  /** The last frame of a stream: {@link EndMark}. */
  END(4, Direction.TO_DESTINATION),
  /** Nothing to say, but alive. */
  PING(5, Direction.BOTH),
  /** The destination holds everything, verified: {@link LoadedDigest}. On stream 0 only. */
  LOADED(6, Direction.TO_SOURCE),
  /** The destination gives up: {@link ErrorReport}. */
  ERROR(7, Direction.TO_SOURCE),
  /** Device and memory have taken every frame before this number: u64. Since version 2. */
  TAKEN(8, Direction.TO_SOURCE);

  /** Who may send a frame. */
  enum Direction {
    TO_DESTINATION,
    TO_SOURCE,
    BOTH;

    boolean allows(Direction travelled) {
      return this == BOTH || this == travelled;
    }
  }

  private static final FrameType[] TYPES = values();

  private final int code;
  private final Direction direction;

  FrameType(int code, Direction direction) {
    this.code = code;
    this.direction = direction;
  }

  int code() {
    return code;
  }

  Direction direction() {
    return direction;
  }

  /** Smallest payload in bytes. */
  int minimumLength() {
    return switch (this) {
      case DEVICE_STATE, PING -> 0;
      case MEMORY -> 1;
      case PAUSED, TAKEN -> Long.BYTES;
      case END -> EndMark.BYTES;
      case LOADED -> LoadedDigest.BYTES;
      case ERROR -> ErrorReport.MIN_BYTES;
    };
  }

  /**
   * Largest payload in bytes.
   *
   * @param chunkBytes the largest chunk that HELLO announced
   */
  int maximumLength(int chunkBytes) {
    return switch (this) {
      case DEVICE_STATE, MEMORY -> chunkBytes;
      case PAUSED, END, PING, LOADED, TAKEN -> minimumLength();
      case ERROR -> ErrorReport.MAX_BYTES;
    };
  }

  /** Whether a destination brings it to device or memory, or tells the session of it. */
  boolean delivered() {
    return switch (this) {
      case DEVICE_STATE, MEMORY, PAUSED -> true;
      case END, PING, LOADED, ERROR, TAKEN -> false;
    };
  }

  /**
   * Whether such frames are counted and digested. Those that are not carry the number of the next
   * one that is, and are never sent again; in version 1 all are.
   */
  boolean numbered(int version) {
    return switch (this) {
      case PING, TAKEN -> version < Greeting.RESUMABLE_VERSION;
      case DEVICE_STATE, MEMORY, PAUSED, END, LOADED, ERROR -> true;
    };
  }

  /** Whether that version has this type. */
  boolean partOf(int version) {
    return this != TAKEN || version >= Greeting.RESUMABLE_VERSION;
  }

  static Optional<FrameType> of(int code) {
    for (FrameType type : TYPES) {
      if (type.code == code) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
