package dev.vfio.migration.agent.machine;

import java.math.BigInteger;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Whether windows can be moved, and whether those of both ends are the same. */
public final class WindowCheck {

  /** Pages that one window has at most, because one bitmap marks them: 8 TiB in pages of 4 KiB. */
  public static final long MAX_PAGES = Integer.MAX_VALUE;

  /** How many are named in a message, the largest first. */
  private static final int MAX_NAMED = 4;

  private WindowCheck() {}

  /**
   * What is wrong with the windows, by address; null where nothing is.
   *
   * @param mostBytes that all windows of one device may have
   */
  public static String problem(List<WindowSpec> windows, int pageSize, long mostBytes) {
    String tooMuch = excess(windows, mostBytes);
    if (tooMuch != null) {
      return tooMuch;
    }
    long end = 0;
    for (WindowSpec window : windows) {
      if (window.size() < pageSize
          || window.size() % pageSize != 0
          || window.iova() % pageSize != 0
          || window.iova() < 0
          || window.iova() + window.size() < 0
          || window.size() / pageSize > MAX_PAGES) {
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
   * By what the windows are too much memory for one device; null where they are not. A file may be
   * of any size without having any memory, and what is kept of each page here is real.
   */
  public static String excess(List<WindowSpec> windows, long mostBytes) {
    long left = mostBytes;
    for (WindowSpec window : windows) {
      if (window.size() < 0 || window.size() > left) {
        return String.format(
            "they have %s bytes in all (%s%s), and this node's agent moves at most %s bytes with"
                + " one device (agent.maximum-window-memory)",
            windows.stream()
                .map(one -> BigInteger.valueOf(one.size()))
                .reduce(BigInteger.ZERO, BigInteger::add),
            windows.stream()
                .sorted(Comparator.comparingLong(WindowSpec::size).reversed())
                .limit(MAX_NAMED)
                .map(one -> one.name() + ": " + one.size())
                .collect(Collectors.joining(", ")),
            windows.size() > MAX_NAMED ? ", ..." : "",
            mostBytes);
      }
      left -= window.size();
    }
    return null;
  }

  /**
   * How the windows differ, null where they do not.
   *
   * @param one who has the first list, for people
   * @param other who has the second
   */
  public static String difference(
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
    return String.format(
        "window %s (address 0x%s, %s bytes)",
        window.name(), Long.toHexString(window.iova()), window.size());
  }
}
