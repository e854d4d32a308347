package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Timeouts;
import dev.vfio.migration.operator.fake.Copies;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Another replica takes over, on a machine whose time of day is another. What the one before wrote
 * with its own is told to people; nothing is counted from it.
 */
class LeaderClockTest extends SandboxTest {
  private static final Duration AHEAD = Duration.ofHours(1);
  private static final Duration BEHIND = AHEAD.negated();

  @BeforeEach
  void startOperator() {
    sandbox.startOperator();
  }

  private static DeviceMigrationSpec timeouts(Timeouts timeouts) {
    return Specs.with(Specs.live(), timeouts);
  }

  private void inThePause(DeviceMigrationSpec spec) {
    sandbox.destination.loadsAtOnce(false);
    sandbox.source.loadsAtOnce(false);
    sandbox.api.create(NAME, spec);
    sandbox.awaitPhase(Phase.SWITCHING_OVER);
    sandbox.awaitStatus(NAME, status -> sandbox.source.commands().contains("SwitchOver"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"PT2M", "PT1H", "PT-1H"})
  void aPauseGoesOnUnderTheNextLeaderWhateverItsClockSays(Duration ahead) {
    inThePause(Specs.live());
    OperatorProcess next = sandbox.changeLeader(ahead);
    sandbox.awaitAgents();
    // It has looked at the migration once it repeats the command, or writes for another reason.
    sandbox.source.report(Copies.converged());
    sandbox.destination.load();
    sandbox.awaitPhase(Phase.SUCCEEDED);
    assertThat(next.events()).doesNotContain("RolledBack");
    sandbox.assertDestinationRuns();
  }

  @Test
  void aPauseEndsInTimeUnderANextLeaderWhoseClockIsBehind() {
    inThePause(timeouts(new Timeouts(null, null, "2s", null, null, null)));
    sandbox.changeLeader(BEHIND);
    assertThat(sandbox.awaitStatus(NAME, status -> status.rollback() != null).rollback().reason())
        .isEqualTo("SwitchoverTimedOut");
    sandbox.awaitPhase(Phase.FAILED);
    sandbox.assertSourceRuns();
  }

  /** However often the leader changes: the agent at the source knows since when it is paused. */
  @Test
  void aPauseThatTheSourceSaysHasLastedLongEnoughEndsAtOnce() {
    inThePause(timeouts(new Timeouts(null, null, "10m", null, null, null)));
    sandbox.source.pausedFor(Duration.ofMinutes(11));
    sandbox.changeLeader(BEHIND);
    assertThat(sandbox.awaitStatus(NAME, status -> status.rollback() != null).rollback().reason())
        .isEqualTo("SwitchoverTimedOut");
    sandbox.awaitPhase(Phase.FAILED);
    sandbox.assertSourceRuns();
  }

  @Test
  void copyingIsNotGivenUpBecauseTheNextLeadersClockIsAhead() {
    sandbox.source.convergesAtOnce(false);
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(Phase.PRE_COPY);
    sandbox.changeLeader(AHEAD);
    sandbox.awaitAgents();
    sandbox.source.report(
        Copies.converged().toBuilder().setRounds(0).setTransferredBytes(77).build());
    sandbox.awaitStatus(
        NAME, status -> status.transferredBytes() != null && status.transferredBytes() == 77);
    sandbox.source.report(Copies.converged());
    sandbox.awaitPhase(Phase.SUCCEEDED);
  }

  @Test
  void copyingIsGivenUpInTimeUnderANextLeaderWhoseClockIsBehind() {
    sandbox.source.convergesAtOnce(false);
    sandbox.api.create(
        NAME, Specs.with(Specs.live(), new Convergence(null, null, null, "2s", null)));
    sandbox.awaitPhase(Phase.PRE_COPY);
    sandbox.changeLeader(BEHIND);
    assertThat(sandbox.awaitStatus(NAME, status -> status.rollback() != null).rollback().reason())
        .isEqualTo("DidNotConverge");
  }

  @Test
  void nobodyIsCalledToADestinationBecauseTheNextLeadersClockIsAhead() {
    sandbox.destination.activatesAtOnce(false);
    sandbox.api.create(NAME, Specs.live());
    sandbox.awaitPhase(Phase.COMMITTED);
    OperatorProcess next = sandbox.changeLeader(AHEAD);
    sandbox.awaitAgents();
    sandbox.destination.activate();
    sandbox.awaitPhase(Phase.SUCCEEDED);
    assertThat(next.events()).doesNotContain("ActionRequired");
  }

  @Test
  void somebodyIsCalledInTimeUnderANextLeaderWhoseClockIsBehind() {
    sandbox.destination.activatesAtOnce(false);
    sandbox.api.create(NAME, timeouts(new Timeouts(null, null, null, "2s", null, null)));
    sandbox.awaitPhase(Phase.COMMITTED);
    sandbox.changeLeader(BEHIND);
    sandbox.awaitPhase(Phase.ACTION_REQUIRED);
    sandbox.destination.activate();
    sandbox.awaitPhase(Phase.SUCCEEDED);
  }

  @Test
  void aRollbackIsWaitedForAsLongUnderANextLeaderWhateverItsClockSays() {
    inThePause(timeouts(new Timeouts(null, null, null, null, "2s", null)));
    sandbox.source.refuse("RollBack", Reason.NOT_READY, "not yet");
    sandbox.destination.fail(
        Role.DESTINATION,
        dev.vfio.migration.contract.v1.SessionState.DESTINATION_DISCARDED,
        Reason.STREAM_BROKEN,
        "cut");
    sandbox.awaitPhase(Phase.ROLLING_BACK);
    sandbox.changeLeader(BEHIND);
    sandbox.awaitPhase(Phase.ACTION_REQUIRED);
  }

  @Test
  void aRecordIsNotDeletedBecauseTheNextLeadersClockIsAhead() {
    sandbox.api.create(NAME, Specs.deletedAfter(Specs.live(), 600));
    sandbox.awaitStatus(
        NAME,
        status -> Sandbox.condition(status, ConditionType.SUCCEEDED).reason().equals("Completed"));
    OperatorProcess next = sandbox.changeLeader(AHEAD);
    sandbox.awaitAgents();
    // Another migration of the same devices ends: by then the first was looked at.
    assertThat(next.advance(sandbox.api.read("default", NAME).orElseThrow()).finished()).isTrue();
    assertThat(sandbox.api.read("default", NAME)).isPresent();
  }

  @Test
  void aRecordIsDeletedInTimeUnderANextLeaderWhoseClockIsBehind() {
    sandbox.api.create(NAME, Specs.deletedAfter(Specs.live(), 2));
    sandbox.awaitPhase(Phase.SUCCEEDED);
    sandbox.changeLeader(BEHIND);
    org.awaitility.Awaitility.await()
        .atMost(Sandbox.TIMEOUT)
        .until(
            () ->
                sandbox
                    .api
                    .read("default", NAME)
                    .map(found -> found.isMarkedForDeletion())
                    .orElse(true));
  }
}
