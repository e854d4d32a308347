package dev.vfio.migration.operator.reconciler;

import static dev.vfio.migration.operator.api.Phase.CANCELLED;
import static dev.vfio.migration.operator.api.Phase.PRE_COPY;
import static dev.vfio.migration.operator.api.Phase.SUCCEEDED;
import static dev.vfio.migration.operator.reconciler.Sandbox.NAME;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.RefusedCalls;
import dev.vfio.migration.operator.fake.Specs;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The operator may end at any point; a fresh one goes on, and nothing is decided twice. */
class OperatorRestartTest {
  /** More points than a migration has: the later ones find it finished and crash nothing. */
  private static final int MAX_POINTS = 20;

  private static OperatorProcess.Crash crash() {
    return new OperatorProcess.Crash();
  }

  @Test
  void aFreshOperatorGoesOnAfterACrashBeforeOrAfterAnyWrite(@TempDir Path directory) {
    int crashes = 0;
    for (int point = 0; point < MAX_POINTS; point++) {
      int crashAt = point;
      try (Sandbox sandbox = new Sandbox(directory.resolve("write-" + point))) {
        AtomicInteger writes = new AtomicInteger();
        Runnable hook =
            () -> {
              if (writes.getAndIncrement() == crashAt) {
                throw crash();
              }
            };
        sandbox.api.beforeWrite(hook);
        sandbox.api.afterWrite(hook);
        crashes += crashAndGoOn(sandbox) ? 1 : 0;
      }
    }
    assertThat(crashes).as("points at which it crashed").isGreaterThan(12);
  }

  @Test
  void aFreshOperatorGoesOnAfterACrashAtAnyCommand(@TempDir Path directory) {
    int crashes = 0;
    for (String command :
        new String[] {
          "PrepareDestination", "StartSource", "SwitchOver", "VerifyLoaded", "Activate", "Commit"
        }) {
      try (Sandbox sandbox = new Sandbox(directory.resolve(command))) {
        crashOnceCarriedOut(sandbox, command);
        crashes += crashAndGoOn(sandbox) ? 1 : 0;
      }
    }
    assertThat(crashes).as("commands after which it crashed").isEqualTo(6);
  }

  /** The agent has carried the command out; the operator ends before it can record anything. */
  private static void crashOnceCarriedOut(Sandbox sandbox, String command) {
    AtomicInteger left = new AtomicInteger(1);
    Runnable hook =
        () -> {
          boolean carriedOut =
              sandbox.source.commands().contains(command)
                  || sandbox.destination.commands().contains(command);
          if (carriedOut && left.getAndDecrement() > 0) {
            throw crash();
          }
        };
    sandbox.api.beforeWrite(hook);
  }

  private static boolean crashAndGoOn(Sandbox sandbox) {
    OperatorProcess first = sandbox.startOperator();
    sandbox.api.create(NAME, Specs.live());
    await()
        .atMost(Sandbox.TIMEOUT)
        .pollInterval(Duration.ofMillis(5))
        .until(() -> !first.alive() || completed(sandbox));
    boolean crashed = !first.alive();
    sandbox.api.beforeWrite(() -> {});
    sandbox.api.afterWrite(() -> {});
    sandbox.restartOperator();
    sandbox.awaitStatus(NAME, status -> completed(sandbox));
    sandbox.assertDestinationRuns();
    assertDecidedOnce(sandbox);
    return crashed;
  }

  private static boolean completed(Sandbox sandbox) {
    return sandbox.api.status(NAME).conditions().stream()
        .anyMatch(
            condition ->
                condition.type().equals("Succeeded") && condition.reason().equals("Completed"));
  }

  private static void assertDecidedOnce(Sandbox sandbox) {
    Set<Handover> decisions = new HashSet<>();
    for (DeviceMigrationStatus status : sandbox.api.history()) {
      if (status.handover() != Handover.UNDECIDED) {
        decisions.add(status.handover());
      } else {
        assertThat(decisions).as("never undecided again").isEmpty();
      }
    }
    assertThat(decisions).hasSize(1);
  }

  @Test
  void aRollbackThatWasDecidedIsCarriedOutByTheNextOperator(@TempDir Path directory) {
    try (Sandbox sandbox = new Sandbox(directory)) {
      sandbox.source.convergesAtOnce(false);
      sandbox.api.afterWrite(
          () -> {
            if (sandbox.api.status(NAME).handover() == Handover.ROLLED_BACK) {
              throw crash();
            }
          });
      OperatorProcess first = sandbox.startOperator();
      sandbox.api.create(NAME, Specs.live());
      sandbox.awaitPhase(PRE_COPY);
      sandbox.api.changeSpec(NAME, Specs::cancelled);
      await().atMost(Sandbox.TIMEOUT).until(() -> !first.alive());
      sandbox.api.afterWrite(() -> {});
      sandbox.restartOperator();
      sandbox.awaitPhase(CANCELLED);
      sandbox.assertSourceRuns();
    }
  }

  @Test
  void aLeaderThatWasReplacedCannotOverwriteTheDecision(@TempDir Path directory) {
    try (Sandbox sandbox = new Sandbox(directory)) {
      sandbox.source.loadsAtOnce(false);
      sandbox.startOperator();
      sandbox.api.create(NAME, Specs.live());
      sandbox.awaitDecisionDue();
      // Another hand decides between this leader's look at the object and its write.
      AtomicInteger once = new AtomicInteger(1);
      sandbox.api.beforeWrite(
          () -> {
            if (once.getAndDecrement() == 1) {
              sandbox.api.changeSpec(NAME, Specs::cancelled);
            }
          });
      sandbox.destination.load();
      sandbox.awaitPhase(CANCELLED);
      sandbox.assertSourceRuns();
      assertThat(sandbox.api.history())
          .noneMatch(status -> status.handover() == Handover.COMMITTED);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aConflictIsDecidedAgainOnTheObjectAsItIs(int every, @TempDir Path directory) {
    try (Sandbox sandbox = new Sandbox(directory)) {
      AtomicInteger writes = new AtomicInteger();
      Set<Integer> disturbed = new HashSet<>();
      sandbox.api.beforeWrite(
          () -> {
            int write = writes.incrementAndGet();
            if (write % every == 0 && disturbed.add(sandbox.api.history().size())) {
              sandbox.api.annotate(NAME);
            }
          });
      sandbox.startOperator();
      sandbox.api.create(NAME, Specs.live());
      sandbox.awaitPhase(SUCCEEDED);
      sandbox.assertDestinationRuns();
      assertDecidedOnce(sandbox);
    }
  }

  @Test
  void anAgentRefusesAnOlderLeaderAndTheOlderLeaderDecidesNothingFromIt(@TempDir Path directory) {
    try (Sandbox sandbox = new Sandbox(directory)) {
      AtomicInteger refusals = new AtomicInteger();
      sandbox
          .nodes
          .agent(FakeNodes.DESTINATION)
          .refuse(
              command ->
                  refusals.getAndIncrement() < 1
                      ? Optional.of(
                          RefusedCalls.of(Reason.STALE_FENCING_NUMBER, "an older leader: 1"))
                      : Optional.empty());
      sandbox.startOperator();
      sandbox.api.create(NAME, Specs.live());
      sandbox.awaitPhase(SUCCEEDED);
    }
  }
}
