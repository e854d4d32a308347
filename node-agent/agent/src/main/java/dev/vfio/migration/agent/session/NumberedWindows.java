package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.util.Comparator;
import java.util.List;

/** The windows in the order in which both ends number them: by address. */
final class NumberedWindows {
  private static final Comparator<DmaWindow> ORDER =
      Comparator.comparingLong(DmaWindow::iova).thenComparing(DmaWindow::name);

  private NumberedWindows() {}

  static List<DmaWindow> of(List<DmaWindow> declared) {
    return declared.stream().sorted(ORDER).toList();
  }

  /** What both ends must agree on, in the order of {@code windows}. */
  static List<WindowSpec> specs(List<DmaWindow> windows) {
    return windows.stream()
        .map(window -> new WindowSpec(window.name(), window.iova(), window.size()))
        .toList();
  }
}
