package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Touched;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Only where an administrator said so may a migration name a node and a device. */
class NamespaceAdmissionTest {
  private final MigrationScene scene = new MigrationScene().namespace("tenant");

  @ParameterizedTest
  @EnumSource(names = {"PENDING", "VALIDATING"})
  void elsewhereItIsRefusedBeforeAnyAgentIsAsked(Phase phase) {
    Decision decision = scene.phase(phase).decide();

    assertThat(decision.commands()).isEmpty();
    assertThat(decision.finished()).isTrue();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
    assertThat(scene.status().handover()).isEqualTo(Handover.ROLLED_BACK);
    assertThat(scene.status().touched()).isEqualTo(Touched.NEITHER);
    for (ConditionType type : List.of(ConditionType.VALIDATED, ConditionType.SUCCEEDED)) {
      assertThat(scene.reason(type)).isEqualTo("NamespaceNotAllowed");
    }
    assertThat(scene.message(ConditionType.VALIDATED))
        .contains("Namespace tenant ")
        .contains("default, vfio-migration")
        .contains("Nothing was touched")
        .contains("admission.adminNamespaces");
    assertThat(scene.message(ConditionType.SUCCEEDED)).contains("Validated says why");
  }

  @Test
  void aNewObjectIsRefusedAtOnce() {
    assertThat(scene.decide().finished()).isTrue();
    assertThat(scene.reason(ConditionType.SUCCEEDED)).isEqualTo("NamespaceNotAllowed");
  }

  @Test
  void whereItIsAllowedBothAgentsAreAsked() {
    MigrationScene allowed = new MigrationScene().phase(Phase.VALIDATING);
    assertThat(allowed.decide().commands()).hasSize(2);
  }

  @Test
  void whatIsUnderWayWhenTheListChangesGoesOn() {
    scene
        .at(Phase.PREPARING, SessionState.SOURCE_PRECOPY, SessionState.DESTINATION_LISTENING)
        .decide();
    assertThat(scene.status().phase()).isEqualTo(Phase.PRE_COPY);
    assertThat(scene.status().handover()).isEqualTo(Handover.UNDECIDED);
  }

  @Test
  void aRefusedMigrationThatIsDeletedIsRemoved() {
    scene.decide();
    Decision decision = scene.delete().decide();
    assertThat(decision.finished()).isTrue();
    assertThat(decision.commands()).isEmpty();
    assertThat(scene.status().phase()).isEqualTo(Phase.FAILED);
  }

  @Test
  void anObjectThatIsDeletedBeforeItWasReconciledIsRemoved() {
    Decision decision = scene.delete().decide();
    assertThat(decision.finished()).isTrue();
    assertThat(decision.commands()).isEmpty();
    assertThat(scene.status().phase()).isEqualTo(Phase.CANCELLED);
  }

  @Test
  void everyNamespaceIsAllowedOnlyWhereThatIsWritten() {
    assertThat(AdminNamespaces.of(List.of("*")).allow("tenant")).isTrue();
    assertThat(AdminNamespaces.of(List.of("a", "b")).allow("tenant")).isFalse();
    assertThat(AdminNamespaces.of(List.of("tenant")).allow("tenant-2")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "Tenant", "a,b", "a*", "team-*", "-a", "a.b"})
  void aListThatCannotBeMeantIsRefused(String name) {
    assertThatThrownBy(() -> AdminNamespaces.of(List.of("default", name)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'" + name + "'");
  }

  @Test
  void anEmptyListIsRefused() {
    assertThatThrownBy(() -> AdminNamespaces.of(List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aLongListIsCutForPeople() {
    AdminNamespaces many =
        AdminNamespaces.of(IntStream.range(0, 1000).mapToObj(at -> "team-" + at).toList());
    assertThat(many.toString()).endsWith(" and 990 more").hasSizeLessThan(200);
    assertThat(many.allow("team-999")).isTrue();
  }
}
