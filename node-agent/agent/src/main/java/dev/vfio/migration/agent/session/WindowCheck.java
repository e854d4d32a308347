package dev.vfio.migration.agent.session;

import java.util.List;

/** Whether windows can be moved, and whether those of both ends are the same. */
final class WindowCheck {

  private WindowCheck() {}

  /** What is wrong with the windows, by address; null where nothing is. */
  static String problem(List<WindowSpec> windows, int pageSize) {
    long end = 0;
    for (WindowSpec window : windows) {
      if (window.size() < pageSize
          || window.size() % pageSize != 0
          || window.iova() % pageSize != 0
          || window.iova() < 0
          || window.iova() + window.size() < 0
          || window.size() / pageSize > WindowCopy.MOST_PAGES) {
        return describe(window) + " is not made of whole pages of " + pageSize + " bytes";
      }
      if (window.iova() < end) {
        return describe(window) + " overlaps the window before it";
      }
      end = window.iova() + window.size();
    }
    return null;
  }

  /** How the windows differ, null where they do not. */
  static String difference(List<WindowSpec> source, List<WindowSpec> here) {
    if (source.equals(here)) {
      return null;
    }
    for (WindowSpec window : source) {
      if (!here.contains(window)) {
        return "the source has " + describe(window) + " and this node has not";
      }
    }
    for (WindowSpec window : here) {
      if (!source.contains(window)) {
        return "this node has " + describe(window) + " and the source has not";
      }
    }
    return "the windows are declared twice or in different order";
  }

  private static String describe(WindowSpec window) {
    return "window "
        + window.name()
        + " (address 0x"
        + Long.toHexString(window.iova())
        + ", "
        + window.size()
        + " bytes)";
  }
}
