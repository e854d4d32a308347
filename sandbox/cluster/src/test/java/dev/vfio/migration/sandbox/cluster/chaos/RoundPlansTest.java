package dev.vfio.migration.sandbox.cluster.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Labels;
import dev.vfio.migration.sandbox.cluster.rounds.Only;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlans;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RoundPlansTest {
  private static final Set<Fault> SYSTEMATIC = EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT);

  @Test
  void eachPhaseMeetsEachFaultOfEachProcessOnceBeforeChancePicks() {
    RoundPlans<Point, Part> plans = ProcessChaos.plans(7, Only.all());
    Set<String> met = new HashSet<>();
    for (RoundPlan<Point, Part> plan : plans.after(0, plans.systematic())) {
      assertThat(plan.blows()).hasSize(1);
      met.add(plan.point() + "/" + plan.blows().get(0));
    }

    assertThat(met).hasSize(plans.systematic());
    assertThat(met).hasSize(Point.values().length * Part.values().length * SYSTEMATIC.size());
  }

  @Test
  void theSameSeedGivesTheSameRoundsWhereverARunBegins() {
    List<RoundPlan<Point, Part>> all = ProcessChaos.plans(3, Only.all()).after(0, 600);

    assertThat(ProcessChaos.plans(3, Only.all()).after(500, 100)).isEqualTo(all.subList(500, 600));
    assertThat(ProcessChaos.plans(4, Only.all()).after(500, 100))
        .isNotEqualTo(all.subList(500, 600));
    assertThat(all.stream().filter(plan -> plan.blows().size() == 2)).isNotEmpty();
  }

  @Test
  void whatIsNamedIsTheOnlyFault() throws Exception {
    RoundPlans<Point, Part> plans =
        ProcessChaos.plans(0, Only.parse(Point.values(), Part.values(), "Committed/operator/slow"));

    assertThat(plans.systematic()).isOne();
    assertThat(plans.after(0, 5))
        .allMatch(plan -> plan.point() == Point.COMMITTED)
        .allMatch(plan -> plan.blows().equals(List.of(new Blow<>(Part.OPERATOR, Fault.SLOW))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Committed", "Commit/*/*", "*/agent/*", "*/*/melt", "*/operator/"})
  void aNameThatThereIsNotIsRefused(String only) {
    assertThatThrownBy(() -> Only.parse(Point.values(), Part.values(), only))
        .isInstanceOf(WrongOptionException.class)
        .hasMessageContaining("--only");
  }

  @Test
  void aFaultThatAProcessDoesNotKnowIsRefused() {
    assertThatThrownBy(
            () -> Only.parse(Point.values(), Part.values(), "*/waiting-workload/corrupt"))
        .isInstanceOf(WrongOptionException.class)
        .hasMessageContaining("waiting-workload knows no corrupt");
  }

  @Test
  void theUsageNamesEachPhaseProcessAndFault() throws IOException {
    String usage = Files.readString(Path.of("usage.txt"));

    assertThat(Stream.of(Point.values(), Part.values(), Fault.values()).flatMap(Stream::of))
        .allMatch(value -> usage.contains(((Labels) value).label()));
  }
}
