package dev.vfio.migration.vfio.feature;

import java.util.List;
import java.util.Map;

/** The states of the v2 interface and the kernel's table of the way between any two of them. */
final class TransitionTable {
  static final List<String> STATES =
      List.of(
          "ERROR",
          "STOP",
          "RUNNING",
          "STOP_COPY",
          "RESUMING",
          "RUNNING_P2P",
          "PRE_COPY",
          "PRE_COPY_P2P");

  /**
   * Row: from; columns: to STOP, RUN, PRE, PREP2P, SCOPY, RESM, RUNP2P. As the reference has it.
   */
  static final Map<String, List<String>> NEXT =
      Map.of(
          "STOP", List.of("STOP", "RUNP2P", "RUNP2P", "RUNP2P", "SCOPY", "RESM", "RUNP2P"),
          "RUN", List.of("RUNP2P", "RUN", "PRE", "RUNP2P", "RUNP2P", "RUNP2P", "RUNP2P"),
          "PRE", List.of("RUN", "RUN", "PRE", "PREP2P", "PREP2P", "RUN", "RUN"),
          "PREP2P", List.of("RUNP2P", "RUNP2P", "PRE", "PREP2P", "SCOPY", "RUNP2P", "RUNP2P"),
          "SCOPY", List.of("STOP", "STOP", "E", "E", "SCOPY", "STOP", "STOP"),
          "RESM", List.of("STOP", "STOP", "STOP", "STOP", "STOP", "RESM", "STOP"),
          "RUNP2P", List.of("STOP", "RUN", "RUN", "PREP2P", "STOP", "STOP", "RUNP2P"));

  static final List<String> COLUMNS =
      List.of("STOP", "RUN", "PRE", "PREP2P", "SCOPY", "RESM", "RUNP2P");

  private static final Map<String, String> LONG_NAMES =
      Map.of(
          "STOP", "STOP",
          "RUN", "RUNNING",
          "PRE", "PRE_COPY",
          "PREP2P", "PRE_COPY_P2P",
          "SCOPY", "STOP_COPY",
          "RESM", "RESUMING",
          "RUNP2P", "RUNNING_P2P",
          "E", "ERROR");

  private TransitionTable() {}

  /** A device with these flags has the state. */
  static boolean offered(int flags, String state) {
    int needed =
        DriverModel.STOP_COPY_FLAG
            | (state.endsWith("P2P") ? DriverModel.P2P_FLAG : 0)
            | (state.startsWith("PRE_COPY") ? DriverModel.PRE_COPY_FLAG : 0);
    return (flags & needed) == needed;
  }

  /** The next state on the way; ERROR where there is none. */
  static String nextOf(String from, String to) {
    String row = shortName(from);
    List<String> columns = NEXT.get(row);
    return columns == null ? "ERROR" : LONG_NAMES.get(columns.get(COLUMNS.indexOf(shortName(to))));
  }

  private static String shortName(String name) {
    return LONG_NAMES.entrySet().stream()
        .filter(entry -> entry.getValue().equals(name))
        .findFirst()
        .orElseThrow()
        .getKey();
  }
}
