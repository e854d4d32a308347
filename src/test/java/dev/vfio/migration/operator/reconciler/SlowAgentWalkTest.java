package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.api.Phase.CANCELLED;
import static dev.vfio.migration.operator.api.Phase.PREPARING;
import static dev.vfio.migration.operator.api.Phase.SUCCEEDED;
import static dev.vfio.migration.operator.api.Phase.VALIDATING;
import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.fake.FakeAgent;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.Specs;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Agents that answer late or never, while one thread reconciles everything: nobody waits but whose
 * agent it is.
 */
class SlowAgentWalkTest extends SandboxTest {
  private static final int MANY = 60;

  @BeforeEach
  void startOperator() {
    sandbox.startOperator();
    sandbox.awaitAgents();
  }

  private static DeviceMigrationSpec onto(String source, String destination, String device) {
    return new DeviceMigrationSpec(
        new DeviceLocation(source, device),
        new DeviceLocation(destination, device),
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null);
  }

  @Test
  void migrationsOfANodeThatNeverListsItsDevicesKeepNoOtherWaiting() {
    FakeAgent silent = FakeNodes.silent("node-c");
    sandbox.serveAlso("node-c", silent);
    for (int number = 0; number < MANY; number++) {
      sandbox.api.create("hung-" + number, onto("node-c", "node-b", "vfio-user:hung-" + number));
    }
    await().atMost(Sandbox.TIMEOUT).until(() -> silent.listings() > 0);
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(sandbox.api.status("hung-0").phase()).isEqualTo(VALIDATING);
    assertThat(silent.listings())
        .as("questions to one agent at a time, so that commands find room beside them")
        .isLessThanOrEqualTo(CallsUnderWay.MAX_CALLS_TO_A_NODE);
  }

  @Test
  void aCommandThatIsNeverAnsweredKeepsNoOtherMigrationWaiting() {
    FakeAgent ignoring = FakeNodes.alone("node-d", DeviceState.NONE);
    ignoring.ignore(command -> command.equals("PrepareDestination"));
    sandbox.serveAlso("node-c", FakeNodes.alone("node-c", DeviceState.RUNNING));
    sandbox.serveAlso("node-d", ignoring);
    sandbox.api.create("stuck", onto("node-c", "node-d", FakeAgent.DEVICE));
    await().atMost(Sandbox.TIMEOUT).until(() -> !ignoring.commands().isEmpty());
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    assertThat(sandbox.api.status("stuck").phase()).isEqualTo(PREPARING);
    assertThat(ignoring.commands()).as("asked once, and not answered").hasSize(1);
  }

  @Test
  void lateAnswersAreUsedAndNothingIsAskedTwice() {
    sandbox.source.answersAfter(Duration.ofMillis(400));
    sandbox.destination.answersAfter(Duration.ofMillis(900));
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(SUCCEEDED);
    await()
        .atMost(Sandbox.TIMEOUT)
        .untilAsserted(
            () ->
                assertThat(sandbox.source.commands())
                    .containsExactly("StartSource", "SwitchOver", "Commit"));
    assertThat(sandbox.destination.commands())
        .containsExactly("PrepareDestination", "VerifyLoaded", "Activate");
    assertThat(sandbox.source.listings()).isEqualTo(1);
    assertThat(sandbox.destination.listings()).isEqualTo(1);
    sandbox.assertDestinationRuns();
  }

  @Test
  void aMigrationThatWaitsForAnAnswerCanBeCancelled() {
    FakeAgent silent = FakeNodes.silent("node-c");
    sandbox.serveAlso("node-c", silent);
    sandbox.api.create("hung", onto("node-c", "node-b", "vfio-user:hung"));
    await().atMost(Sandbox.TIMEOUT).until(() -> silent.listings() > 0);
    sandbox.api.changeSpec("hung", Specs::cancelled);
    sandbox.awaitStatus("hung", status -> status.phase() == CANCELLED);
  }
}
