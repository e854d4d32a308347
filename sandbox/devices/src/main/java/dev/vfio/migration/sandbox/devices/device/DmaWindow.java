package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.content.Mix;
import dev.vfio.migration.sandbox.devices.content.PageContent;
import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A piece of the workload's memory that the device writes into: a shared file, seen by the device
 * at an I/O virtual address. Real bytes, unlike the device state. Callers see to it that a page has
 * one writer at a time.
 */
public final class DmaWindow implements AutoCloseable {
  /** Where the window lies for the device. */
  public static final long ADDRESS = 1L << 32;

  private static final int SEGMENT_BITS = 30;
  private static final long WINDOW_SEED = 0x57494E444F57L;

  private final String name;
  private final Path file;
  private final boolean createdHere;
  private final long size;
  private final int pageSize;
  private final LongBuffer[] segments;

  private DmaWindow(String name, Path file, boolean createdHere, long size, int pageSize)
      throws IOException {
    this.name = name;
    this.file = file;
    this.createdHere = createdHere;
    this.size = size;
    this.pageSize = pageSize;
    this.segments = new LongBuffer[(int) ((size + (1L << SEGMENT_BITS) - 1) >>> SEGMENT_BITS)];
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      for (int segment = 0; segment < segments.length; segment++) {
        long from = (long) segment << SEGMENT_BITS;
        segments[segment] =
            channel
                .map(
                    FileChannel.MapMode.READ_WRITE, from, Math.min(1L << SEGMENT_BITS, size - from))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asLongBuffer();
      }
    }
  }

  /**
   * Uses {@code file}, or makes it, filled with zeros, if it is not there. {@link #close} removes
   * what was made here.
   *
   * @param size bytes, a multiple of {@code pageSize}
   */
  public static DmaWindow open(String name, Path file, long size, int pageSize) throws IOException {
    boolean create = !Files.exists(file);
    if (create) {
      try (FileChannel channel =
          FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        channel.write(java.nio.ByteBuffer.wrap(new byte[1]), size - 1);
      }
    } else if (Files.size(file) != size) {
      throw new IOException(
          String.format(
              "the window file %s has %s bytes, not %s; remove it or give its size",
              file, Files.size(file), size));
    }
    return new DmaWindow(name, file, create, size, pageSize);
  }

  /** The content function of windows under that seed; no page equals one of the device state. */
  public static PageContent contentOf(long seed) {
    return new PageContent(Mix.of(seed, WINDOW_SEED));
  }

  public String name() {
    return name;
  }

  public Path file() {
    return file;
  }

  /** Bytes. */
  public long size() {
    return size;
  }

  public int pageSize() {
    return pageSize;
  }

  public int pages() {
    return (int) (size / pageSize);
  }

  /** Puts a whole page. */
  void write(int page, long[] words) {
    segment(page).put(wordIn(page), words, 0, pageSize / Long.BYTES);
  }

  /** Gets a whole page. */
  void read(int page, long[] words) {
    segment(page).get(wordIn(page), words, 0, pageSize / Long.BYTES);
  }

  @Override
  public void close() throws IOException {
    if (createdHere) {
      Files.deleteIfExists(file);
    }
  }

  private LongBuffer segment(int page) {
    return segments[(int) ((long) page * pageSize >>> SEGMENT_BITS)];
  }

  private int wordIn(int page) {
    return (int) (((long) page * pageSize & (1L << SEGMENT_BITS) - 1) / Long.BYTES);
  }
}
