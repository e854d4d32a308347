package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.MigrationFlag;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The way from state to state is the kernel's, for every kind of driver. */
class FeatureHopsTest {

  /** Written down once more, as the numbers of the states in the kernel's table. */
  private static final int[][] TABLE = {
    // to: ERROR, STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P
    {0, 0, 0, 0, 0, 0, 0, 0},
    {0, 1, 5, 3, 4, 5, 5, 5},
    {0, 5, 2, 5, 5, 5, 6, 5},
    {0, 1, 1, 3, 1, 1, 0, 0},
    {0, 1, 1, 1, 4, 1, 1, 1},
    {0, 1, 2, 1, 1, 5, 2, 7},
    {0, 2, 2, 7, 2, 2, 6, 7},
    {0, 5, 5, 3, 5, 5, 6, 7},
  };

  private interface Way {
    void check(FeatureState from, FeatureState to, Set<MigrationFlag> flags);
  }

  /** From every state to every state, for every kind of driver. */
  private static void everyWay(Way way) {
    for (FeatureState from : FeatureState.values()) {
      for (FeatureState to : FeatureState.values()) {
        way.check(from, to, EnumSet.of(MigrationFlag.STOP_COPY));
        way.check(from, to, EnumSet.of(MigrationFlag.STOP_COPY, MigrationFlag.P2P));
        way.check(from, to, EnumSet.of(MigrationFlag.STOP_COPY, MigrationFlag.PRE_COPY));
        way.check(from, to, EnumSet.allOf(MigrationFlag.class));
      }
    }
  }

  @Test
  void theTableIsTheKernels() {
    for (FeatureState from : FeatureState.values()) {
      for (FeatureState to : FeatureState.values()) {
        assertThat(FeatureHops.next(from, to))
            .as("%s to %s", from, to)
            .isEqualTo(FeatureState.of(TABLE[from.number()][to.number()]));
      }
    }
  }

  /** The kernel's own loop, with its own numbers. */
  private static List<Integer> kernelWalk(int from, int to, Set<MigrationFlag> flags) {
    List<Integer> walked = new ArrayList<>();
    for (int at = from; at != to; ) {
      int next = TABLE[at][to];
      while (next != 0 && !has(next, flags)) {
        next = TABLE[next][to];
      }
      if (next == 0) {
        return null;
      }
      walked.add(next);
      at = next;
    }
    return walked;
  }

  private static boolean has(int state, Set<MigrationFlag> flags) {
    boolean p2p = state == 5 || state == 7;
    boolean precopy = state == 6 || state == 7;
    return (!p2p || flags.contains(MigrationFlag.P2P))
        && (!precopy || flags.contains(MigrationFlag.PRE_COPY));
  }

  @Test
  void theWayIsTheOneTheKernelWalks() {
    everyWay(
        (from, to, flags) -> {
          List<FeatureState> path = FeatureHops.path(from, to, flags);
          boolean possible =
              from != FeatureState.ERROR
                  && to != FeatureState.ERROR
                  && has(from.number(), flags)
                  && has(to.number(), flags);
          List<Integer> walked = possible ? kernelWalk(from.number(), to.number(), flags) : null;
          assertThat(path == null ? null : path.stream().map(FeatureState::number).toList())
              .as("%s to %s with %s", from, to, flags)
              .isEqualTo(walked);
        });
  }

  @Test
  void aWayEndsWhereItShouldThroughStatesThatTheDeviceHas() {
    everyWay(
        (from, to, flags) -> {
          List<FeatureState> path = FeatureHops.path(from, to, flags);
          if (path == null || path.isEmpty()) {
            assertThat(path == null || from == to).isTrue();
            return;
          }
          assertThat(path.get(path.size() - 1)).isEqualTo(to);
          assertThat(path).doesNotHaveDuplicates().doesNotContain(from, FeatureState.ERROR);
          assertThat(path).allMatch(state -> state.isOf(flags));
          assertThat(path.subList(0, path.size() - 1))
              .as("no state between may take state in, or begin to hand some out")
              .noneMatch(state -> state == FeatureState.RESUMING)
              .noneMatch(state -> state.saving() && !from.saving());
        });
  }

  @Test
  void eachHopIsOneThatTheKernelTakesInOneStep() {
    everyWay(
        (from, to, flags) -> {
          List<FeatureState> path = FeatureHops.path(from, to, flags);
          if (path == null) {
            return;
          }
          FeatureState at = from;
          for (FeatureState hop : path) {
            assertThat(FeatureHops.path(at, hop, flags)).containsExactly(hop);
            at = hop;
          }
        });
  }

  @Test
  void everyStateLeadsToRunning() {
    everyWay(
        (from, to, flags) -> {
          boolean possible = from != FeatureState.ERROR && from.isOf(flags);
          assertThat(FeatureHops.path(from, FeatureState.RUNNING, flags) != null)
              .as("from %s with %s", from, flags)
              .isEqualTo(possible);
        });
  }
}
