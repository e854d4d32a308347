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

  /**
   * How the windows differ, null where they do not.
   *
   * @param one who has the first list, for people
   * @param other who has the second
   */
  static String difference(
      String one, List<WindowSpec> ofOne, String other, List<WindowSpec> ofOther) {
    if (ofOne.equals(ofOther)) {
      return null;
    }
    for (WindowSpec window : ofOne) {
      if (!ofOther.contains(window)) {
        return one + " has " + describe(window) + " and " + other + " has not";
      }
    }
    for (WindowSpec window : ofOther) {
      if (!ofOne.contains(window)) {
        return other + " has " + describe(window) + " and " + one + " has not";
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
