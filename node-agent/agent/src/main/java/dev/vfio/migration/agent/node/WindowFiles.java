package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.WindowMemory;
import dev.vfio.migration.vfio.memory.WindowFile;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** DMA windows through the files that back them. */
final class WindowFiles implements WindowMemory {

  @Override
  public Mapped map(List<DmaWindow> windows, boolean writable) throws IOException {
    List<WindowFile> opened = new ArrayList<>();
    try {
      for (DmaWindow window : windows) {
        opened.add(WindowFile.open(window, writable));
      }
    } catch (IOException problem) {
      opened.forEach(WindowFile::close);
      throw problem;
    }
    return new Opened(List.copyOf(opened));
  }

  private record Opened(List<WindowFile> windows) implements Mapped {
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
      windows.forEach(WindowFile::close);
    }
  }
}
