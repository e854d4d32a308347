package dev.vfio.migration.agent.session;

import dev.vfio.migration.vfio.workload.DmaWindow;
import java.util.Comparator;
import java.util.List;

/**
 * A DMA window without its place on this node: what both ends must agree on.
 *
 * @param name equal on both ends
 * @param iova bytes
 * @param size bytes
 */
public record WindowSpec(String name, long iova, long size) {

  static final Comparator<DmaWindow> ORDER =
      Comparator.comparingLong(DmaWindow::iova).thenComparing(DmaWindow::name);

  /** The windows in the order in which both ends number them: by address. */
  public static List<WindowSpec> listOf(List<DmaWindow> windows) {
    return windows.stream()
        .sorted(ORDER)
        .map(window -> new WindowSpec(window.name(), window.iova(), window.size()))
        .toList();
  }
}
