package dev.vfio.migration.sandbox.demo;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.util.List;
import java.util.Locale;

/** How a migration's status looks to a person. Pure: a view in, text out. */
final class ProgressText {
  private static final int BAR_WIDTH = 32;

  private ProgressText() {}

  /** One line, for a log: everything that may change, without colours or cursor movement. */
  static String line(double seconds, MigrationView view) {
    return format(
        "%7.2f s  %-14s source %-14s destination %-16s pending %s  memory %s  sent %s  %s/s  %s",
        seconds,
        orDash(view.phase()),
        orDash(view.sourceState()),
        orDash(view.destinationState()),
        pendingByClass(view),
        view.givenUp() ? "-" : bytes(view.memory()),
        bytes(view.transferredBytes()),
        bytes(view.rate()),
        outcome(view));
  }

  /** A block of lines of at most 80 columns, for a terminal: it is drawn over the one before. */
  static List<String> block(double seconds, MigrationView view) {
    return List.of(
        format("  phase        %-16s %38.1f s", orDash(view.phase()), seconds),
        format(
            "  devices      source %-18s destination %s",
            orDash(view.sourceState()), orDash(view.destinationState())),
        view.givenUp()
            ? "  pending      -"
            : format(
                "  pending      precopy %s, compatible %s, postcopy %s",
                bytes(view.precopyOnly()), bytes(view.compatible()), bytes(view.postcopyOnly())),
        format("  memory       %-14s dirty pages %d", bytes(view.memory()), view.dirtyPages()),
        format(
            "  sent         %-14s rate %s/s", bytes(view.transferredBytes()), bytes(view.rate())),
        "  " + outcome(view));
  }

  static String pendingByClass(MigrationView view) {
    if (view.givenUp()) {
      return "-";
    }
    return bytes(view.precopyOnly())
        + " + "
        + bytes(view.compatible())
        + " + "
        + bytes(view.postcopyOnly());
  }

  private static String outcome(MigrationView view) {
    return view.givenUp() ? "the copy is given up" : bar(view.fraction());
  }

  static String bar(double fraction) {
    double within = Math.max(0, Math.min(1, fraction));
    int full = (int) Math.floor(within * BAR_WIDTH);
    return "["
        + "#".repeat(full)
        + "-".repeat(BAR_WIDTH - full)
        + format("] %3d %%", (int) Math.floor(within * 100));
  }

  static String bytes(long count) {
    if (count < 1024) {
      return count + " B";
    }
    String[] units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double scaled = count;
    int unit = -1;
    while (scaled >= 1024 && unit < units.length - 1) {
      scaled /= 1024;
      unit++;
    }
    return format("%.1f %s", scaled, units[unit]);
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  private static String orDash(String text) {
    return text.isEmpty() ? "-" : text;
  }
}
