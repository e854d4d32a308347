package dev.vfio.migration.sandbox.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.device.DeviceState;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * The handover's invariants, over schedules that chance picks: agents crash at any touch of the
 * world and at any journal entry, devices refuse, workloads do not answer, disks are full, the
 * stream is cut at any place, commands are lost, late and repeated; what is loaded dies, or who was
 * to take it, before the decision and after it. The transfer to the workload is the agent's very
 * machine, with a disk that is full and with workloads that wait two at a time, refuse, answer
 * nonsense or nothing, end, and connect again late.
 *
 * <ul>
 *   <li>H1: at no time do both devices run.
 *   <li>H2: state that exists is never discarded before the other side holds it or the handover is
 *       decided.
 *   <li>H3: every migration ends with exactly one device running.
 *   <li>A workload uses its device only once it was told to take it, after the decision and with
 *       the device running; each step of its transfer is on the disk before it is asked for it.
 *   <li>No two workloads are told to take one device, and once one was, nobody else receives it.
 * </ul>
 */
class HandoverSchedulesTest {

  @Test
  void everyScheduleHoldsTheInvariants() {
    Seeds.check(1000, values -> new World(values.seed()).live());
  }

  /** Most of those end before a workload is told to take its device. */
  @Test
  void everyScheduleFromTheTransferOnHoldsTheInvariants() {
    Seeds.check(500, values -> new World(values.seed()).liveThroughTransfer());
  }

  /**
   * Crashes the agent of either end at every single touch of the world, which includes the moments
   * before and after every journal entry and every change of a device's state.
   */
  @Test
  void aCrashAtAnyTouchHoldsTheInvariants() {
    for (long seed = 0; seed < 3; seed++) {
      World undisturbed = new World(seed);
      undisturbed.liveCalmly();
      assertThat(undisturbed.operator().decision()).isEqualTo(Handover.COMMITTED);
      for (int touch = 0; touch < undisturbed.source().touches(); touch++) {
        World world = new World(seed);
        world.source().crashAt(touch);
        world.liveCalmly();
      }
      for (int touch = 0; touch < undisturbed.destination().touches(); touch++) {
        World world = new World(seed);
        world.destination().crashAt(touch);
        world.liveCalmly();
      }
    }
  }

  /**
   * Either end's agent crashes at every single touch of the world, and when it comes back the last
   * entry of its journal is flipped, torn or gone. A source that may have let the destination take
   * over then waits for the decision.
   */
  @Test
  void aDamagedTailAtAnyTouchHoldsTheInvariants() {
    World undisturbed = new World(1);
    undisturbed.liveCalmly();
    int lost = 0;
    for (UnaryOperator<byte[]> damage : Damage.ofTheLastEntry().values()) {
      for (int touch = 0; touch < undisturbed.source().touches(); touch++) {
        World world = new World(1);
        world.source().crashAt(touch);
        world.source().damageAtCrash(damage);
        world.liveCalmly();
        if (world.source().journals().damaged() && mayHaveEnded(world)) {
          lost++;
          assertThat(world.trace()).contains("SOURCE_AWAITING_DECISION because of JOURNAL_FAILED");
        }
      }
      for (int touch = 0; touch < undisturbed.destination().touches(); touch++) {
        World world = new World(1);
        world.destination().crashAt(touch);
        world.destination().damageAtCrash(damage);
        world.liveCalmly();
      }
    }
    assertThat(lost).as("schedules in which it was lost").isGreaterThan(5);
  }

  /** The last thing that the source wrote before it lost it allowed the end mark. */
  private static boolean mayHaveEnded(World world) {
    List<SessionRecord> written = world.source().journals().of(world.operator().key());
    int lost =
        written.stream().map(Object::getClass).toList().indexOf(SessionRecord.EntriesLost.class);
    return lost > 0 && written.get(lost - 1) instanceof SessionRecord.EndAllowed;
  }

  /** The operator gives up at any moment, and either agent crashes somewhere on the way back. */
  @Test
  void aRollBackAtAnyMomentHoldsTheInvariants() {
    World undisturbed = new World(1);
    undisturbed.liveCalmly();
    for (int look = 0; look < undisturbed.operator().looks(); look++) {
      for (int touch = 0; touch < undisturbed.source().touches(); touch += 7) {
        World world = new World(1);
        world.operator().cancelAt(look);
        world.source().crashAt(touch + look % 7);
        world.destination().crashAt(touch + (look + 3) % 7);
        world.liveCalmly();
      }
    }
  }

  /** Whatever dies before the decision: the operator's knowledge that it was loaded is old then. */
  @Test
  void whatDiesOnceItIsLoadedIsRolledBackAndTheSourceRunsOn() {
    for (long seed = 0; seed < 40; seed++) {
      for (boolean device : new boolean[] {true, false}) {
        World world = new World(seed);
        Node destination = world.destination();
        if (!destination.device().canTakeStateIn() || world.operator().isHasty()) {
          continue;
        }
        world.onceLoaded(device ? destination.device()::die : destination.workload()::die);
        world.liveCalmly();
        assertThat(world.operator().decision())
            .as("seed %s, %s: %s", seed, device ? "device" : "workload", world.trace())
            .isEqualTo(Handover.ROLLED_BACK);
        assertThat(world.trace()).contains("dies", "DESTINATION_STRANDED");
      }
    }
  }

  /** Nothing leads back then: the source keeps its copy, paused, and a person is asked. */
  @Test
  void whatDiesOnceItIsCommittedIsToldAndTheSourceKeepsItsCopy() {
    for (long seed = 0; seed < 40; seed++) {
      for (boolean device : new boolean[] {true, false}) {
        World world = new World(seed);
        Node destination = world.destination();
        if (!destination.device().canTakeStateIn() || world.operator().isHasty()) {
          continue;
        }
        world.onceCommitted(device ? destination.device()::die : destination.workload()::die);
        world.liveCalmly();
        assertThat(world.operator().decision()).isEqualTo(Handover.COMMITTED);
        assertThat(world.source().device().state()).isEqualTo(DeviceState.STOPNCOPY);
        assertThat(world.trace()).contains("dies");
      }
    }
  }

  /** The agent is killed at any touch of the world beside, and looks again once it is back. */
  @Test
  void whatDiesWhileItsAgentCrashesIsNeverCommitted() {
    World undisturbed = new World(3);
    undisturbed.liveCalmly();
    for (int touch = 0; touch < undisturbed.destination().touches() + 20; touch++) {
      for (boolean device : new boolean[] {true, false}) {
        World world = new World(3);
        Node destination = world.destination();
        world.onceLoaded(device ? destination.device()::die : destination.workload()::die);
        destination.crashAt(touch);
        world.liveCalmly();
        assertThat(world.operator().decision())
            .as("touch %s", touch)
            .isEqualTo(Handover.ROLLED_BACK);
      }
    }
  }

  /** Its memory would be loaded where another window was. */
  @Test
  void aSourceWhoseWindowsChangedSinceTheyWereInspectedIsNeverMoved() {
    for (long seed = 0; seed < 20; seed++) {
      World world = new World(seed);
      if (!world.destination().device().canTakeStateIn()) {
        continue;
      }
      world.source().workload().moveWindow();
      world.liveCalmly();
      assertThat(world.operator().decision()).isEqualTo(Handover.ROLLED_BACK);
      assertThat(world.trace())
          .contains("ROLLED_BACK because of INCOMPATIBLE_DEVICE")
          .doesNotContain("SETUP");
    }
  }

  @Test
  void moreMemoryThanEitherEndAllowsIsNeverMoved() {
    long declared = (long) ModelDevice.PAGES * ModelDevice.PAGE_BYTES;
    World source = new World(1);
    source.source().allowsWindowsOf(declared - 1);
    source.liveCalmly();
    assertThat(source.operator().decision()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(source.trace()).contains("MEMORY_UNREACHABLE").doesNotContain("SETUP");

    // A destination that refuses is asked again until the operator gives up.
    World destination = new World(1);
    destination.destination().allowsWindowsOf(declared - 1);
    destination.operator().cancelAt(500);
    destination.liveCalmly();
    assertThat(destination.operator().decision()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(destination.trace()).doesNotContain("LISTENING", "SETUP");

    World enough = new World(1);
    enough.source().allowsWindowsOf(declared);
    enough.destination().allowsWindowsOf(declared);
    enough.liveCalmly();
    assertThat(enough.operator().decision()).isEqualTo(Handover.COMMITTED);
  }

  /** The property is worth something only where schedules end in all ways there are. */
  @Test
  void schedulesEndInBothWays() {
    Map<Handover, Integer> ends = new EnumMap<>(Handover.class);
    for (long seed = 0; seed < 300; seed++) {
      World world = new World(seed);
      world.live();
      ends.merge(world.operator().decision(), 1, Integer::sum);
    }
    assertThat(ends.get(Handover.COMMITTED)).isGreaterThan(30);
    assertThat(ends.get(Handover.ROLLED_BACK)).isGreaterThan(30);
  }
}
