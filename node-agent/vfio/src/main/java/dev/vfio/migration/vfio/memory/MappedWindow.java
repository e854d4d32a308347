package dev.vfio.migration.vfio.memory;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Mapping;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A DMA window's file, mapped, of any size. Runs of pages are copied between it and the caller's
 * buffer in one bulk copy.
 *
 * <p>The workload and its device may write at the same time: a copy taken while they run may be
 * torn and is worth something only because the pages they wrote are sent again.
 *
 * <p>Safe for use by several threads.
 */
public final class MappedWindow implements AutoCloseable {
  private final DmaWindow window;
  private final Mapping mapping;

  private MappedWindow(DmaWindow window, Mapping mapping) {
    this.window = window;
    this.mapping = mapping;
  }

  /**
   * Maps the window's file from its start, shared, to read and write. No file descriptor is kept.
   *
   * @throws IOException where the file cannot be opened, is no regular file, or is too short
   */
  public static MappedWindow open(DmaWindow window) throws IOException {
    try (Descriptor file = Descriptor.openReadWrite(window.file())) {
      return new MappedWindow(window, Mapping.of(file, 0, window.size()));
    } catch (IOException failure) {
      throw new IOException(
          "window "
              + window.name()
              + " (file "
              + window.file()
              + ", "
              + window.size()
              + " bytes) cannot be mapped: "
              + failure.getMessage()
              + ". No memory was touched.",
          failure);
    }
  }

  public DmaWindow window() {
    return window;
  }

  /** Bytes. */
  public long size() {
    return window.size();
  }

  /**
   * Fills the rest of {@code into} with the window's bytes from {@code offset} on.
   *
   * @param offset bytes from the window's start
   * @throws IndexOutOfBoundsException where that reaches beyond the window
   * @throws IOException where the file was cut short meanwhile, or this was closed
   */
  public void read(long offset, ByteBuffer into) throws IOException {
    Objects.checkFromIndexSize(offset, into.remaining(), window.size());
    try {
      mapping.read(offset, into);
    } catch (IOException failure) {
      throw failed("reading", offset, failure);
    }
  }

  /**
   * Writes the rest of {@code from} into the window from {@code offset} on.
   *
   * @param offset bytes from the window's start
   * @throws IndexOutOfBoundsException where that reaches beyond the window
   * @throws IOException where the file was cut short meanwhile, or this was closed
   */
  public void write(long offset, ByteBuffer from) throws IOException {
    Objects.checkFromIndexSize(offset, from.remaining(), window.size());
    try {
      mapping.write(offset, from);
    } catch (IOException failure) {
      throw failed("writing", offset, failure);
    }
  }

  private IOException failed(String what, long offset, IOException failure) {
    return new IOException(
        what
            + " window "
            + window.name()
            + " at offset "
            + offset
            + " failed: "
            + failure.getMessage()
            + " (file "
            + window.file()
            + ")",
        failure);
  }

  /** Unmaps. Waits for copies that are under way. Safe to call again. */
  @Override
  public void close() {
    mapping.close();
  }
}
