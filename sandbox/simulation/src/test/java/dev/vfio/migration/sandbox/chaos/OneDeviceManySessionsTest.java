package dev.vfio.migration.sandbox.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.operator.api.Handover;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * A device was moved from its node before, or that was tried: the journal of that migration is
 * still remembered there, and is damaged, or has no end, while the next one awaits its decision.
 */
class OneDeviceManySessionsTest {
  private static final SessionKey EARLIER = new SessionKey("earlier", 1);
  private static final List<SessionRecord> WAITED =
      List.of(
          new SessionRecord.SourceStarted(
              new SourceSpec(
                  EARLIER,
                  "default/earlier",
                  ModelDevice.ID,
                  "node-b",
                  "host",
                  1,
                  Mode.LIVE,
                  1,
                  0,
                  0,
                  List.of())),
          new SessionRecord.SwitchingOver(1),
          new SessionRecord.EndAllowed(Progress.NONE));
  private static final SessionRecord ROLLING_BACK =
      new SessionRecord.RollingBack(false, Failure.of(Reason.ROLLED_BACK, "the test says so"));
  private static final SessionRecord ROLLED_BACK =
      new SessionRecord.RolledBack(
          Failure.of(Reason.ROLLED_BACK, "the test says so"), Progress.NONE);

  private static List<SessionRecord> waitedAnd(SessionRecord... more) {
    List<SessionRecord> records = new ArrayList<>(WAITED);
    records.addAll(List.of(more));
    return records;
  }

  private static void add(Node node, List<SessionRecord> records) {
    try (SessionJournal journal = node.journals().create(EARLIER, Role.SOURCE)) {
      for (SessionRecord record : records) {
        journal.append(record);
      }
    } catch (IOException problem) {
      throw new AssertionError(problem);
    }
  }

  private static boolean isEarlier(byte[] image) {
    return new String(image, StandardCharsets.ISO_8859_1).contains("default/earlier");
  }

  /** The source's agent is killed once the destination is loaded, and its disk damages journals. */
  private static World killedOnceLoaded(
      long seed, List<SessionRecord> earlier, int later, UnaryOperator<byte[]> damage) {
    World world = new World(seed);
    world.onceLoaded(
        () -> {
          add(world.source(), earlier);
          world.source().damageAtCrash(damage);
          world.source().crashAt(world.source().touches() + later);
        });
    world.liveCalmly();
    return world;
  }

  /** The hole: the end of an earlier session was damaged, and it ended once more. */
  @Test
  void aDamagedJournalOfAnEarlierSessionDoesNothingToTheDeviceOfTheNext() {
    List<List<SessionRecord>> earlier =
        List.of(
            waitedAnd(ROLLING_BACK, ROLLED_BACK),
            waitedAnd(new SessionRecord.Committed(), new SessionRecord.Completed()));
    for (List<SessionRecord> records : earlier) {
      for (UnaryOperator<byte[]> damage : Damage.ofTheLastEntry().values()) {
        for (int touch = 0; touch < 8; touch++) {
          World world =
              killedOnceLoaded(
                  1, records, touch, image -> isEarlier(image) ? damage.apply(image) : image);
          assertThat(world.operator().decision()).isEqualTo(Handover.COMMITTED);
          assertThat(world.trace()).doesNotContain("STRANDED");
        }
      }
    }
  }

  /** Which one has the device cannot be known, so neither does anything to it. */
  @Test
  void ofTwoJournalsOfOneDeviceWithoutAnEndNeitherActs() {
    List<List<SessionRecord>> earlier =
        List.of(
            WAITED,
            waitedAnd(ROLLING_BACK),
            waitedAnd(new SessionRecord.Committed()),
            WAITED.subList(0, 1));
    for (List<SessionRecord> records : earlier) {
      for (int touch = 0; touch < 3; touch++) {
        World world = new World(1);
        int later = touch;
        world.onceLoaded(
            () -> {
              add(world.source(), records);
              world.source().crashAt(world.source().touches() + later);
            });
        world.lives(2000);
        assertThat(world.source().watched(EARLIER).state()).isEqualTo(SessionState.SOURCE_STRANDED);
        assertThat(world.source().watched(world.operator().key()).failure().message())
            .contains("which of these sessions has it cannot be known", "earlier/1", "move/1");
      }
    }
  }

  /**
   * A session whose end is not on the disk would end once more, on whatever has the device then.
   */
  @Test
  void aSessionEndsOnlyOnceTheDiskSaysSo() {
    for (boolean back : new boolean[] {true, false}) {
      for (int refused = 1; refused < 8; refused++) {
        World world = new World(1);
        world.source().journals().refuseEnds(refused);
        world.destination().journals().refuseEnds(refused);
        if (back) {
          world.onceLoaded(() -> world.operator().cancelAt(0));
        }
        world.liveCalmly();
        assertThat(world.operator().decision())
            .isEqualTo(back ? Handover.ROLLED_BACK : Handover.COMMITTED);
        for (Node node : List.of(world.source(), world.destination())) {
          assertThat(node.watched(world.operator().key()).state().terminal()).isTrue();
        }
        assertThat(world.trace()).contains("because of JOURNAL_FAILED");
      }
    }
  }
}
