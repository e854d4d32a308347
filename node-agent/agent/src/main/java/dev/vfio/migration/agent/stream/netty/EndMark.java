package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * The payload of END, 48 bytes: what the stream carried before it.
 *
 * @param frames frames before END
 * @param bytes payload bytes of these frames
 * @param digest SHA-256 over the headers of these frames
 */
record EndMark(long frames, long bytes, byte[] digest) {
  static final int DIGEST_BYTES = 32;
  static final int BYTES = 2 * Long.BYTES + DIGEST_BYTES;

  ByteBuffer encode() {
    return ByteBuffer.allocateDirect(BYTES).putLong(frames).putLong(bytes).put(digest).flip();
  }

  static EndMark decode(ByteBuffer from) {
    byte[] digest = new byte[DIGEST_BYTES];
    EndMark mark = new EndMark(from.getLong(), from.getLong(), digest);
    from.get(digest);
    return mark;
  }

  /**
   * @throws StreamException CORRUPT where this, as received, differs from what was counted
   */
  void requireEqual(EndMark counted) throws StreamException {
    if (frames != counted.frames || bytes != counted.bytes) {
      throw new StreamException(
          Kind.CORRUPT,
          String.format(
              "the end mark says %s frames and %s bytes, but %s frames and %s bytes came",
              frames, bytes, counted.frames, counted.bytes));
    }
    if (!Arrays.equals(digest, counted.digest)) {
      throw new StreamException(
          Kind.CORRUPT,
          "the end mark's digest is "
              + HexFormat.of().formatHex(digest)
              + ", but the frames that came have "
              + HexFormat.of().formatHex(counted.digest));
    }
  }
}
