package dev.vfio.migration.agent.stream.netty;

import java.util.Optional;

/** What a frame carries. Codes and payload sizes are part of stream version 1. */
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
  ERROR(7, Direction.TO_SOURCE);

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
      case PAUSED -> Long.BYTES;
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
      case PAUSED, END, PING, LOADED -> minimumLength();
      case ERROR -> ErrorReport.MAX_BYTES;
    };
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
