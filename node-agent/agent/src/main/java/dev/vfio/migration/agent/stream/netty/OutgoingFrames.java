package dev.vfio.migration.agent.stream.netty;

import java.nio.ByteBuffer;
import java.security.MessageDigest;

/**
 * Numbers and digests the frames of one stream in one direction. Used under its own monitor, which
 * whoever queues what it has stamped holds until that is queued.
 */
final class OutgoingFrames {
  private final int version;
  private final int stream;
  private final MessageDigest digest = LoadedDigest.sha256();
  private long frames;
  private long bytes;
  private boolean ended;

  OutgoingFrames(int version, int stream) {
    this.version = version;
    this.stream = stream;
  }

  /**
   * Writes the next frame's header at the buffer's position.
   *
   * @return its number; of a frame that is not numbered that of the next one
   */
  long stamp(FrameType type, int window, long offset, int length, int payloadCrc, ByteBuffer to) {
    int start = to.position();
    new FrameHeader(type, stream, frames, length, window, offset, payloadCrc).encode(to);
    long number = frames;
    if (type.numbered(version)) {
      digest.update(to.duplicate().flip().position(start));
      frames++;
      bytes += length;
    }
    ended |= type == FrameType.END;
    return number;
  }

  /** Frames that were numbered so far. */
  long count() {
    return frames;
  }

  /** Whether the end mark was stamped: nothing may follow it. */
  boolean ended() {
    return ended;
  }

  /** What was stamped so far. To be asked once, just before END is stamped. */
  EndMark endMark() {
    return new EndMark(frames, bytes, digest.digest());
  }
}
