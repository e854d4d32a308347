package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.zip.CRC32C;

/**
 * The fixed header before every frame's payload: 44 bytes, big-endian.
 *
 * <pre>
 *  0  u32 magic "VMSF"
 *  4  u16 type
 *  6  u16 reserved, 0
 *  8  u32 stream index
 * 12  u32 payload length in bytes
 * 16  u64 sequence number, from 0, per stream and direction
 * 24  u32 window index (MEMORY only, else 0)
 * 28  u32 CRC32C of the payload (of no bytes: 0)
 * 32  u64 MEMORY: offset in the window in bytes; DEVICE_STATE: bytes of the same chunk that
 *         follow in the next frames of its type; else 0
 * 40  u32 CRC32C of bytes 0 to 39
 * </pre>
 *
 * @param type what the payload is
 * @param stream index of the connection, from 0
 * @param sequence frames sent before this one in this direction
 * @param length payload bytes
 * @param window index of the DMA window
 * @param offset byte offset in the window; of DEVICE_STATE the bytes of its chunk that follow
 * @param payloadCrc CRC32C of the payload
 */
record FrameHeader(
    FrameType type,
    int stream,
    long sequence,
    int length,
    int window,
    long offset,
    int payloadCrc) {
  static final int BYTES = 44;
  static final int MAGIC = 0x564D_5346;
  private static final int CRC_AT = 40;

  FrameHeader withPayloadCrc(int crc) {
    return new FrameHeader(type, stream, sequence, length, window, offset, crc);
  }

  /** Writes the 44 bytes at the buffer's position. */
  void encode(ByteBuffer to) {
    int start = to.position();
    to.putInt(MAGIC)
        .putShort((short) type.code())
        .putShort((short) 0)
        .putInt(stream)
        .putInt(length)
        .putLong(sequence)
        .putInt(window)
        .putInt(payloadCrc)
        .putLong(offset);
    to.putInt(crcOf(to, start, CRC_AT));
  }

  /**
   * Reads 44 bytes at the buffer's position and checks what a header can say of itself.
   *
   * @throws StreamException CORRUPT with what is wrong
   */
  static FrameHeader decode(ByteBuffer from) throws StreamException {
    int start = from.position();
    int magic = from.getInt();
    int crc = crcOf(from, start, CRC_AT);
    int claimed = from.getInt(start + CRC_AT);
    if (crc != claimed) {
      throw new StreamException(
          Kind.CORRUPT,
          String.format(
              Locale.ROOT,
              "the header's CRC32C is 0x%08x, but the header says 0x%08x",
              crc,
              claimed));
    }
    if (magic != MAGIC) {
      throw new StreamException(
          Kind.CORRUPT,
          String.format(Locale.ROOT, "a frame begins with 0x%08x, not with \"VMSF\"", magic));
    }
    int code = Short.toUnsignedInt(from.getShort());
    FrameType type =
        FrameType.of(code)
            .orElseThrow(
                () ->
                    new StreamException(
                        Kind.CORRUPT, "frame type " + code + " is not part of the state stream"));
    int reserved = Short.toUnsignedInt(from.getShort());
    int stream = from.getInt();
    int length = from.getInt();
    long sequence = from.getLong();
    int window = from.getInt();
    int payloadCrc = from.getInt();
    long offset = from.getLong();
    from.position(start + BYTES);
    if (reserved != 0) {
      throw new StreamException(Kind.CORRUPT, "the reserved field is " + reserved + ", not 0");
    }
    boolean placed = type == FrameType.MEMORY ? window >= 0 : window == 0;
    boolean tellsMore = type == FrameType.MEMORY || type == FrameType.DEVICE_STATE;
    if (!placed || (tellsMore ? offset < 0 : offset != 0)) {
      throw new StreamException(
          Kind.CORRUPT,
          String.format(
              "%s says window %s, offset %s",
              type, Integer.toUnsignedString(window), Long.toUnsignedString(offset)));
    }
    return new FrameHeader(type, stream, sequence, length, window, offset, payloadCrc);
  }

  private static int crcOf(ByteBuffer buffer, int start, int length) {
    CRC32C crc = new CRC32C();
    crc.update(buffer.duplicate().position(start).limit(start + length));
    return (int) crc.getValue();
  }
}
