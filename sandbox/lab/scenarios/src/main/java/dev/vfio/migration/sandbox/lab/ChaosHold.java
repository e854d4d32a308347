package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** Brings a migration to a point and keeps it there until it is let go. Used by one thread. */
final class ChaosHold {
  private static final Duration REACH = Duration.ofSeconds(180);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(100);

  /** Longer than any round keeps its point: it is let go before. */
  private static final Duration LONG = Duration.ofSeconds(600);

  /** Long enough for a guest to do it in, short enough for a round to see the end of it. */
  private static final Duration PHASE_BOUND = Duration.ofSeconds(240);

  private final LabCluster cluster;
  private final ChaosPair pair;
  private final ChaosPoint point;
  private AppliedMigration migration;
  private Optional<DeviceFaults> slow = Optional.empty();

  ChaosHold(LabCluster cluster, ChaosPair pair, ChaosPoint point) {
    this.cluster = cluster;
    this.pair = pair;
    this.point = point;
  }

  /** Applies the migration and returns when it is at the point. */
  AppliedMigration reach(String name) throws IOException, InterruptedException {
    migration =
        cluster.migrate(
            name, pair.source().end(), pair.destination().end(), true, true, PHASE_BOUND);
    migration.awaitPhase("PreCopy");
    migration.await(
        view -> view.sourceState().equals("PRECOPY") || view.ended(), "the source in PRECOPY");
    LabCluster.Step step =
        switch (point) {
          case PRE_COPY -> () -> {};
          case PAUSING -> this::pausing;
          case LOADING -> this::loading;
          case LOADED -> this::loadUndecided;
          case COMMITTED -> this::committed;
          case CLEANING_UP -> this::cleaningUp;
          case ROLLING_BACK -> this::rollingBack;
        };
    step.take();
    return migration;
  }

  private void pausing() throws IOException, InterruptedException {
    slowDown(pair.source());
    migration.switchOver();
    awaitFrozen();
    awaitInside(pair.sourceAgent());
  }

  private void loading() throws IOException, InterruptedException {
    slowDown(pair.destination());
    migration.switchOver();
    awaitFrozen();
    awaitInside(pair.destinationAgent());
  }

  /** Both ends wait for the decision, and the operator stands still since before they did. */
  private void loadUndecided() throws IOException, InterruptedException {
    pair.waiting().suspend();
    migration.switchOver();
    awaitFrozen();
    cluster.suspendOperator();
    pair.waiting().proceed();
    new GuestJournal(pair.destination().node(), migration.uid()).awaitDestination("Loaded");
    new GuestJournal(pair.source().node(), migration.uid()).awaitSource("EndAllowed");
  }

  private void committed() throws IOException, InterruptedException {
    loadUndecided();
    slowDown(pair.destination());
    cluster.proceedOperator();
    new GuestJournal(pair.destination().node(), migration.uid()).awaitDestination("Activating");
    awaitInside(pair.destinationAgent());
  }

  private void cleaningUp() throws IOException, InterruptedException {
    loadUndecided();
    slowDown(pair.source());
    cluster.proceedOperator();
    migration.awaitPhase("Succeeded");
    awaitInside(pair.sourceAgent());
  }

  private void rollingBack() throws IOException, InterruptedException {
    slowDown(pair.source());
    migration.cancel();
    migration.awaitPhase("RollingBack");
    awaitInside(pair.sourceAgent());
  }

  private void awaitFrozen() throws IOException, InterruptedException {
    until("the source's program is frozen", () -> pair.owner().frozen());
  }

  private void slowDown(LabDevice device) throws IOException, InterruptedException {
    slow = Optional.of(DeviceFaults.transitionsTake(device, LONG));
  }

  private void awaitInside(GuestAgent agent) throws IOException, InterruptedException {
    until(
        "the agent of " + agent.node().name() + " waits for its device",
        () -> agent.isInside(pair.source().kind().module()));
  }

  private static void until(String what, Waiting.Look look)
      throws IOException, InterruptedException {
    Waiting.until(what, REACH, LOOK_AGAIN, look);
  }

  /**
   * Whether it can be let go while that fault lasts: a guest that stands or boots takes no word.
   */
  boolean mayLetGoUnder(RoundPlan<ChaosPoint, ChaosPart> plan) {
    boolean decides = point != ChaosPoint.LOADED || !plan.hits(ChaosPart.OPERATOR);
    return decides
        && plan.blows().stream()
            .allMatch(blow -> blow.fault() != Fault.KILL && !blow.part().isGuest());
  }

  /** Lets the migration go on. */
  void letGo() throws IOException, InterruptedException {
    if (slow.isPresent()) {
      slow.get().close();
      slow = Optional.empty();
    }
    if (point == ChaosPoint.PRE_COPY) {
      migration.switchOver();
    }
    cluster.proceedOperator();
  }
}
