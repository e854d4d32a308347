package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static dev.vfio.migration.operator.reconciler.Sandbox.condition;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.admission.Predecessor;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.fake.FakeApiServer;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A user of a namespace that is not allowed reaches no device, and delays nobody who may. */
@Timeout(120)
class NamespaceWalkTest extends SandboxTest {
  private static final String TENANT = "tenant";

  @Test
  void aTenantsMigrationReachesNoAgentAndCausesOneEvent() {
    OperatorProcess operator = sandbox.startOperator();
    sandbox.awaitAgents();
    sandbox.api.create(TENANT, NAME, Specs.live());
    DeviceMigrationStatus status = sandbox.awaitPhase(Phase.FAILED);

    assertThat(condition(status, ConditionType.VALIDATED).reason())
        .isEqualTo("NamespaceNotAllowed");
    assertThat(sandbox.source.commands()).isEmpty();
    assertThat(sandbox.destination.commands()).isEmpty();
    assertThat(sandbox.source.listings()).isZero();
    assertThat(sandbox.destination.listings()).isZero();
    operator.awaitEvents("Refused");
    sandbox.assertSourceRuns();
  }

  @Test
  void hundredsOfEarlierRefusedMigrationsOfTheSameDeviceDelayNoOther() {
    for (int at = 0; at < 300; at++) {
      sandbox.api.create(TENANT, "in-the-way-" + at, Specs.live());
    }
    sandbox.api.create(NAME, Specs.live());
    OperatorProcess operator = sandbox.startOperator();

    sandbox.awaitReason(ConditionType.SUCCEEDED, "Completed");

    assertThat(operator.events()).doesNotContain("Waiting");
    sandbox.awaitStatus("in-the-way-299", status -> status.phase() == Phase.FAILED);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aRefusedOneIsDeletedAtOnceAndCountedNoMore() {
    sandbox.api.create(TENANT, NAME, Specs.live());
    OperatorProcess operator = sandbox.startOperator();
    sandbox.awaitPhase(Phase.FAILED);
    await().atMost(Sandbox.TIMEOUT).until(() -> operator.counted() == 1);
    sandbox.api.requestDeletion(NAME);
    await().atMost(Sandbox.TIMEOUT).until(() -> sandbox.api.read(TENANT, NAME).isEmpty());
    await().atMost(Sandbox.TIMEOUT).until(() -> operator.counted() == 0);
  }

  @Test
  void aRefusedOneIsDeletedWhenItsTimeIsOver() {
    sandbox.api.create(TENANT, NAME, Specs.deletedAfter(Specs.live(), 1));
    sandbox.startOperator();
    await().atMost(Sandbox.TIMEOUT).until(() -> sandbox.api.read(TENANT, NAME).isEmpty());
  }

  /** Not even one that a leader with another list had begun to validate. */
  @Test
  void nobodyWaitsForOneThatIsToBeRefused() throws Exception {
    FakeApiServer api = new FakeApiServer();
    DeviceMigration refused = api.create(TENANT, "first", Specs.live());
    DeviceMigration allowed = api.create("second", Specs.live());
    Admissions admissions = new Admissions(AdminNamespaces.of(List.of("default")));

    assertThat(admissions.ask(allowed, api.all())).isEmpty();
    api.writeStatus(refused, in(Phase.VALIDATING));
    assertThat(new Admissions(AdminNamespaces.of(List.of("default"))).ask(allowed, api.all()))
        .isEmpty();
  }

  @Test
  void whatWasLetInBeforeTheListChangedIsWaitedFor() throws Exception {
    FakeApiServer api = new FakeApiServer();
    api.writeStatus(api.create(TENANT, "under-way", Specs.live()), in(Phase.PRE_COPY));
    DeviceMigration allowed = api.create("second", Specs.live());

    assertThat(new Admissions(AdminNamespaces.of(List.of("default"))).ask(allowed, api.all()))
        .map(Predecessor::qualifiedName)
        .contains("tenant/under-way");
  }

  private static DeviceMigrationStatus in(Phase phase) {
    return new io.fabric8.kubernetes.client.utils.KubernetesSerialization()
        .unmarshal("{\"phase\": \"" + phase.text() + "\"}", DeviceMigrationStatus.class);
  }
}
