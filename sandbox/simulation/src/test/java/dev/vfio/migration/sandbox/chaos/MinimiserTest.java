package dev.vfio.migration.sandbox.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MinimiserTest {

  @Test
  void onlyTheFaultsThatBreakTheRuleAreLeft() {
    Minimiser minimiser =
        new Minimiser(
            schedule ->
                schedule.leftOut().contains(3) || schedule.leftOut().contains(8)
                    ? new Schedule.Result(Optional.of(Outcome.COMMITTED), Optional.empty(), 10)
                    : new Schedule.Result(Optional.empty(), Optional.of("H1: (a)\ntrace"), 10));

    Schedule least = minimiser.minimise(new Schedule(7, Set.of()));

    assertThat(least.seed()).isEqualTo(7);
    assertThat(least.leftOut()).containsExactlyInAnyOrder(0, 1, 2, 4, 5, 6, 7, 9);
  }

  @Test
  void aFaultWithoutWhichAnotherRuleBreaksIsKept() {
    Minimiser minimiser =
        new Minimiser(
            schedule ->
                new Schedule.Result(
                    Optional.empty(),
                    Optional.of(schedule.leftOut().contains(1) ? "H2: b (x)" : "H1: a (y)"),
                    2));

    assertThat(minimiser.minimise(new Schedule(0, Set.of())).leftOut()).containsExactly(0);
  }

  @Test
  void everySeedReplaysExactly() {
    for (long seed = 0; seed < 20; seed++) {
      Schedule schedule = new Schedule(seed, Set.of());
      assertThat(schedule.run()).isEqualTo(schedule.run());
    }
  }
}
