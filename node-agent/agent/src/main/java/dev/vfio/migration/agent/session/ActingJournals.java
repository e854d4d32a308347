package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournals.Found;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Which of the journals that were found may still act on their device. A pure function.
 *
 * <p>A device has one session at a time: the next begins only once the end of the one before is on
 * the disk. So of several journals of one device that have no end at most one is whole, and that
 * one is of the session that goes on; those that are damaged had their end before it began. What
 * they would do to the device they would do to that session's workload.
 *
 * @param acting as they were found, in that order; those of which it cannot be known which has the
 *     device have no journal to go on with
 * @param over had ended, though they do not say so
 */
record ActingJournals(List<Found> acting, List<Found> over) {

  static ActingJournals of(List<Found> found) {
    Map<String, List<Found>> open = new LinkedHashMap<>();
    for (Found one : found) {
      String device = device(one);
      if (!device.isEmpty() && one.records().stream().noneMatch(SessionRecord::terminal)) {
        open.computeIfAbsent(device, first -> new ArrayList<>()).add(one);
      }
    }
    List<Found> acting = new ArrayList<>();
    List<Found> over = new ArrayList<>();
    for (Found one : found) {
      List<Found> rivals = open.getOrDefault(device(one), List.of());
      List<Found> whole = rivals.stream().filter(rival -> rival.damage() == null).toList();
      if (rivals.size() < 2
          || !rivals.contains(one)
          || (whole.size() == 1 && whole.contains(one))) {
        acting.add(one);
      } else if (whole.size() == 1) {
        over.add(one);
      } else {
        acting.add(contested(one, rivals));
      }
    }
    return new ActingJournals(acting, over);
  }

  /** The device that the journal is about; empty where that cannot be read. */
  static String device(Found found) {
    if (found.records().isEmpty()) {
      return "";
    }
    SessionRecord first = found.records().get(0);
    return first instanceof SessionRecord.SourceStarted started
        ? started.spec().device()
        : first instanceof SessionRecord.Prepared prepared ? prepared.spec().device() : "";
  }

  private static Found contested(Found one, List<Found> rivals) {
    String keys =
        rivals.stream().map(rival -> rival.key().toString()).collect(Collectors.joining(", "));
    String damage =
        String.format(
            "the journals of %s are all about the device %s and have no end, and which of these"
                + " sessions has it cannot be known%s",
            keys, device(one), one.damage() == null ? "" : " (" + one.damage() + ")");
    return new Found(one.key(), one.role(), one.records(), damage, null);
  }
}
