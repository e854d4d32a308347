package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigratableDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Knows which pages of a source's DMA windows are still to be sent, and sends them. Owned by the
 * session's thread.
 */
final class WindowCopy implements AutoCloseable {
  private final List<WindowSpec> windows;
  private final List<Boolean> logged;
  private final WindowMemory.Mapped memory;
  private final int pageSize;
  private final BitSet[] marked;
  private long markedPages;
  private boolean tracking;
  private boolean begun;

  /**
   * @param logged for each window, whether the device's log covers every writer
   * @param tracking whether the device logs dirty pages at all
   */
  WindowCopy(
      List<WindowSpec> windows,
      List<Boolean> logged,
      WindowMemory.Mapped memory,
      int pageSize,
      boolean tracking) {
    this.windows = windows;
    this.logged = logged;
    this.memory = memory;
    this.pageSize = pageSize;
    this.tracking = tracking;
    this.marked = new BitSet[windows.size()];
    for (int window = 0; window < marked.length; window++) {
      marked[window] = new BitSet();
    }
  }

  /** Bytes of all windows. */
  long totalBytes() {
    return windows.stream().mapToLong(WindowSpec::size).sum();
  }

  /** Bytes still to be sent in this round. */
  long remainingBytes() {
    return markedPages * pageSize;
  }

  /** Bytes that will be sent once the device stands still, by what is known now. */
  long pendingBytes() {
    long pending = 0;
    for (int window = 0; window < marked.length; window++) {
      pending +=
          tracking && logged.get(window)
              ? (long) marked[window].cardinality() * pageSize
              : windows.get(window).size();
    }
    return pending;
  }

  /**
   * Marks what is to be sent: the first time every page, however early that is asked for, and later
   * what the device has marked since.
   *
   * <p>The last time windows are marked whole where the device's log leaves something out: all of
   * them where it logs nothing, else those that others write to as well.
   *
   * @param last the device stands still
   * @return pages newly marked by the device
   */
  long collect(MigratableDevice device, boolean last) throws DeviceException {
    long before = markedPages;
    // The first time only to settle what the device had marked so far.
    if (tracking && (begun || !last)) {
      for (int window = 0; window < marked.length && tracking; window++) {
        collect(device, window);
      }
    }
    boolean everything = !begun || (last && !tracking);
    long byDevice = everything ? 0 : markedPages - before;
    for (int window = 0; window < marked.length; window++) {
      if (everything || (last && !logged.get(window))) {
        mark(window, 0, windows.get(window).size() / pageSize);
      }
    }
    begun = true;
    return byDevice;
  }

  private void collect(MigratableDevice device, int window) throws DeviceException {
    WindowSpec spec = windows.get(window);
    try {
      device.dirtyPages(
          spec.iova(),
          spec.size() / pageSize,
          (iova, pages) -> mark(window, (iova - spec.iova()) / pageSize, pages));
    } catch (DeviceException refused) {
      boolean complete =
          refused.kind() == DeviceException.Kind.READ_FAILED
              || refused.kind() == DeviceException.Kind.PROTOCOL_VIOLATION;
      if (!complete) {
        throw refused;
      }
      // A device that does not log dirty pages, or not as it should: it is not asked again, and all
      // windows go once more while it stands still. One that cannot be reached shows that soon.
      tracking = false;
    }
  }

  private void mark(int window, long firstPage, long pages) {
    long all = windows.get(window).size() / pageSize;
    if (firstPage < 0 || pages < 1 || firstPage + pages > all) {
      throw new IllegalArgumentException(
          String.format(
              "pages %s to %s are not in window %s",
              firstPage, firstPage + pages, windows.get(window).name()));
    }
    BitSet bits = marked[window];
    int from = (int) firstPage;
    int to = (int) (firstPage + pages);
    for (int clear = bits.nextClearBit(from); clear < to; clear = bits.nextClearBit(clear)) {
      int set = bits.nextSetBit(clear);
      int end = set < 0 || set > to ? to : set;
      bits.set(clear, end);
      markedPages += end - clear;
      clear = end;
    }
  }

  /**
   * Sends marked pages in runs as long as a chunk.
   *
   * @return bytes sent
   */
  long copy(StateSender sender, long maxBytes, BooleanSupplier wanted)
      throws IOException, InterruptedException {
    long sent = 0;
    for (int window = 0; window < marked.length; window++) {
      int page = marked[window].nextSetBit(0);
      while (page >= 0) {
        if (sent > 0 && (sent >= maxBytes || wanted.getAsBoolean())) {
          return sent;
        }
        int pages = send(sender, window, page);
        sent += (long) pages * pageSize;
        page = marked[window].nextSetBit(page + pages);
      }
    }
    return sent;
  }

  private int send(StateSender sender, int window, int page)
      throws IOException, InterruptedException {
    ChunkBuffer chunk = sender.acquire();
    boolean handedOver = false;
    try {
      ByteBuffer bytes = chunk.bytes();
      int most = Math.max(1, bytes.remaining() / pageSize);
      int end = marked[window].nextClearBit(page);
      int pages = Math.min(most, end - page);
      long offset = (long) page * pageSize;
      bytes.limit(bytes.position() + pages * pageSize);
      read(window, offset, bytes);
      marked[window].clear(page, page + pages);
      markedPages -= pages;
      handedOver = true;
      sender.memory(chunk, window, offset);
      return pages;
    } finally {
      if (!handedOver) {
        chunk.release();
      }
    }
  }

  private void read(int window, long offset, ByteBuffer into) throws MemoryException {
    try {
      memory.read(window, offset, into);
    } catch (IOException failure) {
      throw new MemoryException(
          "the memory window " + windows.get(window).name() + " cannot be read at " + offset,
          failure);
    }
  }

  /** A window cannot be read or written, while streams and device are fine. */
  static final class MemoryException extends IOException {
    private static final long serialVersionUID = 1L;

    MemoryException(String message, IOException cause) {
      super(message + ": " + cause.getMessage(), cause);
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
