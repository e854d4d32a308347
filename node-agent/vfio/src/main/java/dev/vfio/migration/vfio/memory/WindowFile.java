package dev.vfio.migration.vfio.memory;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.RootDirectory;
import dev.vfio.migration.vfio.linux.SharedFile;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A DMA window's content, of any size, in the file that the workload and its device have mapped.
 * Runs of pages are copied between it and the caller's direct buffer in one bulk copy.
 *
 * <p>The workload and its device may write at the same time: a copy taken while they run may be
 * torn and is worth something only because the pages they wrote are sent again.
 *
 * <p>Safe for use by several threads. Holds one file descriptor.
 */
public final class WindowFile implements AutoCloseable {
  private final DmaWindow window;
  private final SharedFile file;

  private WindowFile(DmaWindow window, SharedFile file) {
    this.window = window;
    this.file = file;
  }

  /**
   * Opens the window's file by the descriptor that it was checked with.
   *
   * @param writable whether {@link #write} is to work: a file that can only be written through a
   *     mapping (hugetlbfs) is refused here, before anything is copied
   * @throws IOException where the file cannot be opened, is no regular file, or is too short
   */
  public static WindowFile open(DmaWindow window, boolean writable) throws IOException {
    try {
      return new WindowFile(window, openLongEnough(window, writable));
    } catch (IOException failure) {
      throw new IOException(
          String.format(
              "window %s (file %s, %s bytes) cannot be opened: %s. No memory was touched.",
              window.name(), window.file(), window.size(), failure.getMessage()),
          failure);
    }
  }

  private static SharedFile openLongEnough(DmaWindow window, boolean writable) throws IOException {
    SharedFile file = SharedFile.of(opened(window, writable));
    try {
      if (writable) {
        file.requireReadableAndWritable();
      }
      if (file.size() < window.size()) {
        throw new IOException("the file has " + file.size() + " bytes");
      }
      return file;
    } catch (Throwable failure) {
      file.close();
      throw failure;
    }
  }

  private static Descriptor opened(DmaWindow window, boolean writable) throws IOException {
    Descriptor memory =
        window.memory().orElseThrow(() -> new IOException("there is no descriptor of it"));
    // Of our own, whatever becomes of the owner's meanwhile.
    Descriptor duplicate = memory.duplicate();
    if (!OpenFile.onlyNames(duplicate)) {
      return duplicate;
    }
    try (duplicate) {
      return RootDirectory.reopen(duplicate, window.file(), writable);
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
   * Fills the rest of {@code into} (direct) with the window's bytes from {@code offset} on.
   *
   * @param offset bytes from the window's start
   * @throws IndexOutOfBoundsException where that reaches beyond the window
   * @throws IOException where the file was cut short meanwhile, or this was closed
   */
  public void read(long offset, ByteBuffer into) throws IOException {
    Objects.checkFromIndexSize(offset, into.remaining(), window.size());
    try {
      file.read(offset, into);
    } catch (IOException failure) {
      throw failed("reading", offset, failure);
    }
  }

  /**
   * Writes the rest of {@code from} (direct) into the window from {@code offset} on.
   *
   * @param offset bytes from the window's start
   * @throws IndexOutOfBoundsException where that reaches beyond the window
   * @throws IOException where it was opened for reading only, there is no room on the file system,
   *     or this was closed
   */
  public void write(long offset, ByteBuffer from) throws IOException {
    Objects.checkFromIndexSize(offset, from.remaining(), window.size());
    try {
      file.write(offset, from);
    } catch (IOException failure) {
      throw failed("writing", offset, failure);
    }
  }

  private IOException failed(String what, long offset, IOException failure) {
    return new IOException(
        String.format(
            "%s window %s from offset %s on failed: %s (file %s)",
            what, window.name(), offset, failure.getMessage(), window.file()),
        failure);
  }

  /** Waits for copies that are under way. Safe to call again. */
  @Override
  public void close() {
    file.close();
  }
}
