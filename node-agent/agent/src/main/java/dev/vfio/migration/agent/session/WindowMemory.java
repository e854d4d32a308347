package dev.vfio.migration.agent.session;

import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Access to the memory behind DMA windows. */
public interface WindowMemory {

  /** Mapped windows. Different places may be used by several threads at once. */
  interface Mapped extends AutoCloseable {

    /** Fills {@code into} from its position to its limit with the window's content. */
    void read(int window, long offset, ByteBuffer into) throws IOException;

    /** Puts {@code content}, from its position to its limit, into the window. */
    void write(int window, long offset, ByteBuffer content) throws IOException;

    /** Must not be called while a read or write is under way. Safe to call again. */
    @Override
    void close();
  }

  /**
   * Maps the windows; each is numbered by its place in the list.
   *
   * @throws IOException where a file is missing or smaller than its window
   */
  Mapped map(List<DmaWindow> windows, boolean writable) throws IOException;
}
