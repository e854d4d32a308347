package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * Counts and digests what one stream brings for device and memory: once as it comes off the
 * network, and once more as device and memory have taken it. Both must be the same at the end mark.
 * Owned by one thread.
 */
final class Tally {
  private final MessageDigest digest = LoadedDigest.sha256();
  private final ByteBuffer scratch = ByteBuffer.allocate(FrameHeader.BYTES);
  private long chunks;
  private long deviceStateBytes;
  private long memoryBytes;

  /**
   * Up to some point of the stream.
   *
   * @param chunks frames of device state, each a chunk or a part of one
   * @param deviceStateBytes payload bytes of these
   * @param memoryBytes payload bytes of MEMORY
   * @param digest SHA-256 over kind, place, length and CRC32C of everything, in order
   */
  record Total(long chunks, long deviceStateBytes, long memoryBytes, byte[] digest) {

    /**
     * @throws StreamException CORRUPT where this, as taken, differs from what came
     */
    void requireEqual(Total came) throws StreamException {
      if (chunks == came.chunks
          && deviceStateBytes == came.deviceStateBytes
          && memoryBytes == came.memoryBytes
          && Arrays.equals(digest, came.digest)) {
        return;
      }
      throw new StreamException(
          Kind.CORRUPT,
          String.format(
              "device and memory have taken %s, but what came is %s; what the device holds is not"
                  + " what was sent",
              this, came));
    }

    @Override
    public String toString() {
      return String.format(
          "%s chunks with %s bytes of device state and %s bytes of memory (digest %s)",
          chunks, deviceStateBytes, memoryBytes, HexFormat.of().formatHex(digest, 0, 8));
    }
  }

  /** Whether a frame of this type is for device or memory. */
  static boolean counts(FrameType type) {
    return switch (type) {
      case DEVICE_STATE, MEMORY -> true;
      case PAUSED, END, PING, LOADED, ERROR, TAKEN -> false;
    };
  }

  /**
   * Counts a frame, where its type {@link #counts}.
   *
   * @param crc CRC32C of the payload as it was found here
   */
  void add(FrameHeader frame, int crc) {
    boolean counted =
        switch (frame.type()) {
          case DEVICE_STATE -> {
            chunks++;
            deviceStateBytes += frame.length();
            yield true;
          }
          case MEMORY -> {
            memoryBytes += frame.length();
            yield true;
          }
          case PAUSED, END, PING, LOADED, ERROR, TAKEN -> false;
        };
    if (!counted) {
      return;
    }
    frame.withPayloadCrc(crc).encode(scratch.clear());
    digest.update(scratch.flip());
  }

  /** What was counted. To be asked once, at the end. */
  Total total() {
    return new Total(chunks, deviceStateBytes, memoryBytes, digest.digest());
  }
}
