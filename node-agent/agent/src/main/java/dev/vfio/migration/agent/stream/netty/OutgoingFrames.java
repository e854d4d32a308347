package dev.vfio.migration.agent.stream.netty;

import java.nio.ByteBuffer;
import java.security.MessageDigest;

/**
 * Numbers and digests the frames of one stream in one direction. Owned by that stream's {@link
 * FrameWriter}, used under its lock.
 */
final class OutgoingFrames {
  private final int stream;
  private final MessageDigest digest = LoadedDigest.sha256();
  private long frames;
  private long bytes;

  OutgoingFrames(int stream) {
    this.stream = stream;
  }

  /** Writes the next frame's header at the buffer's position. */
  void stamp(FrameType type, int window, long offset, int length, int payloadCrc, ByteBuffer to) {
    int start = to.position();
    new FrameHeader(type, stream, frames, length, window, offset, payloadCrc).encode(to);
    digest.update(to.duplicate().flip().position(start));
    frames++;
    bytes += length;
  }

  /** What was stamped so far. To be asked once, just before END is stamped. */
  EndMark endMark() {
    return new EndMark(frames, bytes, digest.digest());
  }
}
