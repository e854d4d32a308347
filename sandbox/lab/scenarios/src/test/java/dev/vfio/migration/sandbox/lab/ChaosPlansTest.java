package dev.vfio.migration.sandbox.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Labels;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Which rounds the lab runs. */
class ChaosPlansTest {
  @Test
  void eachPointMeetsEachFaultOfEachPartOnce() throws Exception {
    List<RoundPlan<ChaosPoint, ChaosPart>> plans =
        ChaosRounds.plans(new LabOptions.Chaos(0, 0, 0), List.of());
    Set<String> met =
        plans.stream().map(plan -> plan.point() + "/" + plan.blows()).collect(Collectors.toSet());
    int faults = Stream.of(ChaosPart.values()).mapToInt(part -> part.faults().size()).sum();

    assertThat(plans).hasSameSizeAs(met).hasSize(ChaosPoint.values().length * faults);
  }

  @Test
  void whatIsNamedIsTheOnlyFault() throws Exception {
    List<RoundPlan<ChaosPoint, ChaosPart>> plans =
        ChaosRounds.plans(new LabOptions.Chaos(0, 1, 5), List.of("PreCopy/*/stop"));

    assertThat(plans)
        .isNotEmpty()
        .allMatch(plan -> plan.point() == ChaosPoint.PRE_COPY)
        .noneMatch(plan -> plan.hits(ChaosPart.SOURCE_AGENT))
        .allMatch(plan -> plan.blows().get(0).fault() == Fault.STOP);
  }

  @Test
  void severalThatAreNamedComeOneAfterTheOther() throws Exception {
    List<String> only = List.of("*/link/cut", "Committed/operator/kill");
    List<RoundPlan<ChaosPoint, ChaosPart>> plans =
        ChaosRounds.plans(new LabOptions.Chaos(0, 0, 5), only);
    RoundPlan<ChaosPoint, ChaosPart> last = plans.get(plans.size() - 1);

    assertThat(plans).hasSize(ChaosPoint.values().length + 1);
    assertThat(last).hasToString("phase=Committed process=operator fault=kill");
    assertThat(last.number()).isEqualTo(plans.size());
    assertThat(ChaosRounds.plans(new LabOptions.Chaos(9, 7, 5), only)).containsExactly(last);
  }

  @Test
  void aFaultThatAPartDoesNotKnowIsRefused() {
    assertThatThrownBy(
            () -> ChaosRounds.plans(new LabOptions.Chaos(1, 0, 0), List.of("*/link/kill")))
        .isInstanceOf(WrongOptionException.class)
        .hasMessageContaining("link knows no kill");
  }

  @Test
  void theUsageNamesEachPointAndPart() throws IOException {
    String usage = Files.readString(Path.of("../../kernel-lab"));

    assertThat(Stream.of(ChaosPoint.values(), ChaosPart.values()).flatMap(Stream::of))
        .allMatch(value -> usage.contains(((Labels) value).label()));
  }
}
