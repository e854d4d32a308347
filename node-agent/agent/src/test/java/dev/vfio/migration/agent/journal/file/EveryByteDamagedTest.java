package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.DestinationMachine;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Moment;
import dev.vfio.migration.agent.machine.Outcome;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionRecord.*;
import dev.vfio.migration.agent.machine.SourceEvent;
import dev.vfio.migration.agent.machine.SourceMachine;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.SourceState;
import dev.vfio.migration.agent.machine.Timings;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Whole sessions of both ends, at each of their stages, with their journal damaged at every byte.
 * What is allowed then is written down here from docs/handover.md, by the entries that really were
 * there, and not by what the reader makes of the bytes.
 */
@Timeout(60)
class EveryByteDamagedTest {
  private static final SessionKey KEY = new SessionKey("8d1f-4c", 2);
  private static final Moment NOW = new Moment(1, 1);
  private static final Failure FAILURE = new Failure(Reason.NOT_LOADED, "it was reset", 5);
  private static final SessionRecord STARTED =
      new SourceStarted(
          new SourceSpec(
              KEY, "default/m", "gpu-0", "node-b", "::1", 9444, Mode.LIVE, 1, 0, 7, List.of()));
  private static final SessionRecord PREPARED =
      new Prepared(
          new DestinationSpec(
              KEY,
              "default/m",
              "gpu-1",
              "node-a",
              new DeviceDescription(
                  "gpu-0", MigrationInterface.REGION_V1, "gpu", 7, true, false, 4096),
              List.of(),
              1));
  private static final SessionRecord LOADED = new Loaded(3, Progress.NONE);

  private static final Map<Role, List<List<SessionRecord>>> SESSIONS = new EnumMap<>(Role.class);

  static {
    SessionRecord switching = new SwitchingOver(42);
    SessionRecord allowed = new EndAllowed(Progress.NONE);
    SessionRecord back = new RollingBack(true, FAILURE);
    SessionRecord rolledBack = new RolledBack(FAILURE, Progress.NONE, DeviceState.RUNNING);
    SESSIONS.put(
        Role.SOURCE,
        List.of(
            List.of(STARTED, switching, allowed, new Committed(), new Completed()),
            List.of(STARTED, switching, allowed, back, rolledBack),
            List.of(STARTED, switching, back, rolledBack),
            List.of(STARTED, back, rolledBack),
            // What it has where RollingBack found the disk full.
            List.of(STARTED, switching, rolledBack)));
    SessionRecord discarding = new Discarding(FAILURE);
    SessionRecord discarded = new Discarded(FAILURE, null);
    SessionRecord activating = new Activating();
    SessionRecord lost = new StateLost(FAILURE, true);
    SESSIONS.put(
        Role.DESTINATION,
        List.of(
            List.of(PREPARED, LOADED, activating, new Active(Progress.NONE)),
            List.of(PREPARED, LOADED, activating, lost, discarding, discarded),
            List.of(PREPARED, LOADED, discarding, discarded),
            List.of(PREPARED, discarding, discarded),
            List.of(PREPARED, discarded)));
  }

  private int damaged;
  private final Set<String> reached = new TreeSet<>();

  /** Each way in which a disk gives back something else than what was written. */
  private static void damages(
      byte[] whole, List<SessionRecord> entries, BiConsumer<String, byte[]> to) throws IOException {
    for (int at = 0; at < whole.length; at++) {
      for (int mask : new int[] {0x01, 0x80, 0xff}) {
        byte[] flipped = whole.clone();
        flipped[at] ^= (byte) mask;
        to.accept("byte " + at + " ^ " + mask, flipped);
      }
      to.accept("cut at " + at, Arrays.copyOf(whole, at));
      byte[] zeroed = whole.clone();
      Arrays.fill(zeroed, at, whole.length, (byte) 0);
      to.accept("zero from " + at, zeroed);
    }
    byte[] last = JournalImage.entry(RecordCodec.encode(entries.get(entries.size() - 1)));
    byte[] twice = Arrays.copyOf(whole, whole.length + last.length);
    System.arraycopy(last, 0, twice, whole.length, last.length);
    to.accept("the last entry twice", twice);
  }

  @Test
  void noDamageMakesAnEndDoByItselfWhatALostEntryForbids() throws IOException {
    for (Map.Entry<Role, List<List<SessionRecord>>> end : SESSIONS.entrySet()) {
      for (List<SessionRecord> session : end.getValue()) {
        for (int written = 1; written <= session.size(); written++) {
          List<SessionRecord> entries = session.subList(0, written);
          List<byte[]> payloads = new ArrayList<>();
          for (SessionRecord entry : entries) {
            payloads.add(RecordCodec.encode(entry));
          }
          damages(
              JournalImage.of(payloads),
              entries,
              (how, bytes) -> judge(end.getKey(), entries, how, bytes));
        }
      }
    }
    assertThat(damaged).as("journals").isGreaterThan(30_000);
    assertThat(reached)
        .as("what came of them")
        .contains(
            "unusable",
            "SOURCE_AWAITING_DECISION",
            "SOURCE_COMPLETING",
            "SOURCE_ROLLING_BACK",
            "DESTINATION_STRANDED",
            "DESTINATION_LOADED",
            "DESTINATION_DISCARDING");
  }

  private void judge(Role role, List<SessionRecord> entries, String how, byte[] bytes) {
    damaged++;
    String what = how + " of " + entries;
    JournalReader.Reading reading = JournalReader.read(KEY, role, JournalImage.read(bytes));
    if (!reading.usable()) {
      reached.add("unusable");
      // The session is shown as STRANDED, refuses each command and touches nothing.
      assertThat(reading.damage()).as(what).isNotEmpty();
      return;
    }
    if (reading.damage() == null) {
      List<SessionRecord> once = new ArrayList<>(entries);
      if (how.equals("the last entry twice")) {
        once.add(entries.get(entries.size() - 1));
      }
      assertThat(reading.records()).as(what).isEqualTo(once);
    }
    if (role == Role.SOURCE) {
      judge(SourceMachine.recovered(reading.records(), NOW), entries, reading, what);
    } else {
      judge(DestinationMachine.recovered(reading.records(), NOW), entries, reading, what);
    }
  }

  private static boolean has(List<SessionRecord> entries, Class<?> kind) {
    return entries.stream().anyMatch(kind::isInstance);
  }

  /** H1: it runs by itself only where no entry that was there stands against that. */
  private void judge(
      SourceState found, List<SessionRecord> entries, JournalReader.Reading reading, String what) {
    reached.add(found.state().name());
    Outcome<SourceState, ?> after =
        new SourceMachine(Timings.USUAL).step(found, new SourceEvent.Recover(), NOW);
    boolean ended = entries.get(entries.size() - 1).terminal();
    switch (after.state().state().name()) {
      case "SOURCE_ROLLING_BACK", "SOURCE_ROLLED_BACK" -> {
        boolean decided = has(entries, RollingBack.class) || has(entries, RolledBack.class);
        assertThat(has(entries, Committed.class)).as(what).isFalse();
        // By itself: only with a whole journal that has no EndAllowed in it.
        assertThat(decided || (reading.damage() == null && !has(entries, EndAllowed.class)))
            .as(what)
            .isTrue();
      }
      case "SOURCE_AWAITING_DECISION" -> {
        assertThat(after.actions()).as("nothing is done before the decision: " + what).isEmpty();
        assertThat(reading.damage() != null || has(entries, EndAllowed.class)).as(what).isTrue();
        if (reading.damage() != null) {
          Failure why = after.state().snapshot().failure();
          assertThat(why.reason()).as(what).isEqualTo(Reason.JOURNAL_FAILED);
          assertThat(why.message()).as(what).contains("gpu-0", "this node's disk");
        }
      }
      case "SOURCE_COMPLETING" -> assertThat(has(entries, Committed.class)).as(what).isTrue();
      case "SOURCE_COMPLETED" ->
          assertThat(ended && has(entries, Completed.class)).as(what).isTrue();
      default -> throw new AssertionError(after.state().state() + ": " + what);
    }
  }

  /** H2 for what may be loaded, and nothing runs again that may have lost its state. */
  private void judge(
      DestinationState found,
      List<SessionRecord> entries,
      JournalReader.Reading reading,
      String what) {
    reached.add(found.state().name());
    Outcome<DestinationState, ?> after =
        new DestinationMachine(Timings.USUAL)
            .step(found, new dev.vfio.migration.agent.machine.DestinationEvent.Recover(), NOW);
    switch (after.state().state().name()) {
      case "DESTINATION_DISCARDING", "DESTINATION_DISCARDED" -> {
        boolean told = has(entries, Discarding.class) || has(entries, Discarded.class);
        assertThat(told || (reading.damage() == null && entries.size() == 1)).as(what).isTrue();
      }
      case "DESTINATION_LOADED" -> assertThat(has(entries, Loaded.class)).as(what).isTrue();
      case "DESTINATION_ACTIVATING" -> {
        assertThat(entries.get(entries.size() - 1)).as(what).isInstanceOf(Activating.class);
        assertThat(reading.damage()).as(what).isNull();
      }
      case "DESTINATION_ACTIVE" -> assertThat(has(entries, Active.class)).as(what).isTrue();
      case "DESTINATION_STRANDED" -> {
        assertThat(after.actions()).as("nothing is done: " + what).isEmpty();
        Failure why = after.state().snapshot().failure();
        assertThat(why.reason()).as(what).isIn(Reason.JOURNAL_FAILED, FAILURE.reason());
      }
      default -> throw new AssertionError(after.state().state() + ": " + what);
    }
  }
}
