package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.WindowMemory;
import dev.vfio.migration.vfio.memory.MemoryRoom;
import dev.vfio.migration.vfio.memory.WindowFile;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * DMA windows through the files that back them. Only so many may be open at once in all sessions,
 * so that none takes the file descriptors that another one, or a port, needs.
 */
final class WindowFiles implements WindowMemory {
  private final int most;
  private final Semaphore left;
  private final MemoryRoom room;

  /**
   * @param most windows that may be open at once
   * @param room for those that are to be written
   */
  WindowFiles(int most, MemoryRoom room) {
    this.most = most;
    this.left = new Semaphore(most);
    this.room = room;
  }

  @Override
  public Mapped map(List<DmaWindow> windows, boolean writable) throws IOException {
    if (!left.tryAcquire(windows.size())) {
      throw new IOException(
          String.format(
              "there are %s, and the file descriptors of this agent are enough for %s windows of"
                  + " all its sessions, of which %s are left. Raise its limit (RLIMIT_NOFILE), or"
                  + " let the workload use fewer, larger windows",
              windows.size(), most, left.availablePermits()));
    }
    List<WindowFile> opened = new ArrayList<>();
    boolean complete = false;
    try {
      // What cannot be used at all is said first: no memory helps it.
      for (DmaWindow window : windows) {
        opened.add(WindowFile.open(window, writable));
      }
      if (writable) {
        room.requireFor(windows);
      }
      complete = true;
      return new Opened(List.copyOf(opened));
    } finally {
      if (!complete) {
        opened.forEach(WindowFile::close);
        left.release(windows.size());
      }
    }
  }

  private final class Opened implements Mapped {
    private final List<WindowFile> windows;
    private final AtomicBoolean closed = new AtomicBoolean();

    Opened(List<WindowFile> windows) {
      this.windows = windows;
    }

    @Override
    public void read(int window, long offset, ByteBuffer into) throws IOException {
      windows.get(window).read(offset, into);
    }

    @Override
    public void write(int window, long offset, ByteBuffer content) throws IOException {
      windows.get(window).write(offset, content);
    }

    @Override
    public void close() {
      if (closed.compareAndSet(false, true)) {
        windows.forEach(WindowFile::close);
        left.release(windows.size());
      }
    }
  }
}
