package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes a {@code vfio_region_info} with capabilities, well-formed or not. */
public final class RegionInfoBytes {
  private static final int ROOM = 4096;

  private final ByteBuffer bytes = ByteBuffer.allocate(ROOM).order(ByteOrder.nativeOrder());
  private int end = 32;
  private int lastNext = 12;

  private RegionInfoBytes(int index, long size, int flags) {
    bytes.putInt(4, flags).putInt(8, index).putLong(16, size);
  }

  /** A readable and writable region without capabilities. */
  public static RegionInfoBytes plain(int index, long size) {
    return new RegionInfoBytes(index, size, 0b0011);
  }

  /** The migration region. */
  public static RegionInfoBytes migration(int index, long size) {
    return plain(index, size).type(1 << 30, 1);
  }

  public RegionInfoBytes type(int type, int subtype) {
    int at = capability(2, 16);
    bytes.putInt(at + 8, type).putInt(at + 12, subtype);
    return this;
  }

  /** Pairs of offset and size. */
  public RegionInfoBytes sparse(long... areas) {
    bytes.putInt(4, bytes.getInt(4) | 0b0100);
    int at = capability(1, 16 + areas.length * 8);
    bytes.putInt(at + 8, areas.length / 2);
    for (int i = 0; i < areas.length; i++) {
      bytes.putLong(at + 16 + i * 8, areas[i]);
    }
    return this;
  }

  public RegionInfoBytes capability(int id) {
    capability(id, 24);
    return this;
  }

  private int capability(int id, int length) {
    int at = end;
    bytes.putInt(4, bytes.getInt(4) | 0b1000).putInt(lastNext, at);
    bytes.putShort(at, (short) id).putShort(at + 2, (short) 1);
    lastNext = at + 4;
    end = at + length;
    return at;
  }

  public RegionInfoBytes fileOffset(long offset) {
    bytes.putLong(24, offset);
    return this;
  }

  public RegionInfoBytes flags(int flags) {
    bytes.putInt(4, flags);
    return this;
  }

  /** Overwrites 4 bytes. */
  public RegionInfoBytes patch(int at, int value) {
    bytes.putInt(at, value);
    return this;
  }

  /** Cuts the end off. */
  public RegionInfoBytes cut(int bytesLess) {
    end -= bytesLess;
    return this;
  }

  public int size() {
    return end;
  }

  /** With argsz set to its size. */
  public ByteBuffer toBuffer() {
    return bytes.putInt(0, end).duplicate().order(ByteOrder.nativeOrder()).position(0).limit(end);
  }

  public RegionInfo parse() {
    return RegionInfoLayout.parse(toBuffer());
  }
}
