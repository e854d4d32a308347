package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.process.ProcessLog;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Brings a migration to a point and keeps it there until it is let go. Used by one thread.
 *
 * @param since CLOCK_MONOTONIC at the begin of the round, nanoseconds
 */
record Hold(ChaosCluster chaos, Point point, String name, long since) {
  private static final Duration REACH = Duration.ofSeconds(60);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(20);

  /** Longer than any round keeps its point: it is let go before. */
  private static final String LONG = ":60000";

  /** Short where the cluster is to notice a fault of seconds, long where it is to live with it. */
  private static final Map<String, String> TIMEOUTS =
      Map.of(
          "validating", "30s",
          "preparing", "30s",
          "switchingOver", "30s",
          "agentUnavailable", "4s",
          "activating", "6s",
          "rollingBack", "8s");

  /** A migration at the point, and the one before it in the queue, if there is one. */
  record Held(AppliedMigration migration, Optional<AppliedMigration> predecessor) {}

  /** What may fail as a device, a link or the API server does. */
  @FunctionalInterface
  private interface Step {
    void take() throws IOException, InterruptedException;
  }

  private KubernetesClient client() {
    return chaos.cluster().client();
  }

  private MovingDevice source() {
    return chaos.source();
  }

  private MovingDevice destination() {
    return chaos.destination();
  }

  /** Applies the migration and returns when it is at the point. */
  Held reach() throws IOException, InterruptedException {
    arm();
    Optional<AppliedMigration> predecessor = predecessor();
    AppliedMigration migration = apply(name, manual());
    await(migration);
    return new Held(migration, predecessor);
  }

  private void arm() throws IOException, InterruptedException {
    Step step =
        switch (point) {
          case PENDING, VALIDATING -> () -> chaos.controlLink(destination().node()).stall();
          case PREPARING -> () -> source().console().fault("stall=SETUP" + LONG);
          case PAUSING -> () -> source().console().fault("stall=STOPNCOPY" + LONG);
          case LOADING, LOADED ->
              () -> destination().console().fault("stall=RESUME_COMPLETED" + LONG);
          case COMMITTED -> () -> destination().console().fault("stall=RUNNING" + LONG);
          case CLEANING_UP -> () -> source().console().fault("stall=SAVE_COMPLETED" + LONG);
          case ROLLING_BACK -> this::armRollBack;
          case ACTION_REQUIRED -> () -> destination().console().fault("fail-transition=RUNNING:5");
          case PRE_COPY -> () -> {};
        };
    step.take();
  }

  /** A source that hears of the end of its stream before it hears of the cancel goes FAILED. */
  private void armRollBack() throws IOException {
    source().console().fault("stall=CANCELLED" + LONG);
    source().console().fault("stall=FAILED" + LONG);
  }

  private boolean manual() {
    return point == Point.PRE_COPY || point == Point.ROLLING_BACK;
  }

  private Optional<AppliedMigration> predecessor() throws IOException {
    if (point != Point.PENDING) {
      return Optional.empty();
    }
    AppliedMigration first = apply(name + "-first", true);
    first.await(view -> view.phase().equals("Validating"), "phase Validating");
    return Optional.of(first);
  }

  private AppliedMigration apply(String as, boolean manual) {
    Map<String, Object> spec = new HashMap<>();
    spec.put("source", source().named().spec());
    spec.put("destination", destination().named().spec());
    spec.put("timeouts", TIMEOUTS);
    if (manual) {
      spec.put("switchover", "Manual");
    }
    return AppliedMigration.apply(
        client(), "chaos", AppliedMigration.object("default", as, spec), REACH);
  }

  private void await(AppliedMigration migration) throws IOException, InterruptedException {
    Step step =
        switch (point) {
          case PENDING -> () -> migration.awaitPhase("Pending");
          case VALIDATING -> () -> migration.awaitPhase("Validating");
          case PREPARING -> () -> awaitStall(source(), "SETUP");
          case PRE_COPY -> () -> migration.awaitPhase("PreCopy");
          case PAUSING -> () -> awaitStall(source(), "STOPNCOPY");
          case LOADING -> () -> awaitStall(destination(), "RESUME_COMPLETED");
          case LOADED -> this::awaitLoaded;
          case COMMITTED -> () -> awaitStall(destination(), "RUNNING");
          case CLEANING_UP -> () -> awaitStall(source(), "SAVE_COMPLETED");
          case ROLLING_BACK -> () -> awaitRollBack(migration);
          case ACTION_REQUIRED -> () -> migration.awaitPhase("ActionRequired");
        };
    step.take();
  }

  private void awaitRollBack(AppliedMigration migration) throws IOException, InterruptedException {
    migration.awaitPhase("PreCopy");
    migration.cancel();
    awaitStall(source(), "CANCELLED", "FAILED");
  }

  private void awaitStall(MovingDevice device, String... states)
      throws IOException, InterruptedException {
    until(
        device.named().device() + " on its way to " + String.join(" or ", states),
        () ->
            device.eventsSince(since).stream()
                .anyMatch(
                    event ->
                        event.nanos() >= since
                            && event.event().equals("fault")
                            && List.of(states).contains(event.text("state"))));
  }

  private void awaitLoaded() throws IOException, InterruptedException {
    awaitStall(destination(), "RESUME_COMPLETED");
    chaos.suspendOperators();
    destination().console().clearFaults();
    awaitSaid(destination(), "DESTINATION_LOADED");
    awaitSaid(source(), "SOURCE_AWAITING_DECISION");
  }

  private void awaitSaid(MovingDevice end, String words) throws IOException, InterruptedException {
    RunningProcess agent = chaos.cluster().agent(end.node());
    until(words + " in " + agent.log(), () -> new ProcessLog(agent.log()).said(name, words));
  }

  private static void until(String what, Waiting.Look look)
      throws IOException, InterruptedException {
    Waiting.until(what, REACH, LOOK_AGAIN, look);
  }

  /** Whether it can be let go while those faults last: what it needs for that must answer. */
  boolean mayLetGoUnder(RoundPlan<Point, Part> plan) {
    return switch (point) {
      case PENDING, PRE_COPY -> !plan.hits(Part.API_SERVER);
      case VALIDATING -> !plan.hits(Part.DESTINATION_AGENT) && !plan.hits(Part.OPERATOR);
      case PREPARING, PAUSING, CLEANING_UP, ROLLING_BACK -> !plan.hits(Part.SOURCE_DEVICE);
      case LOADING, COMMITTED, ACTION_REQUIRED -> !plan.hits(Part.DESTINATION_DEVICE);
      case LOADED -> true;
    };
  }

  /**
   * What must happen at once after the fault began: the decision is not to wait for its end.
   *
   * @param leader replica of the operator that led before it
   */
  void faultBegan(RoundPlan<Point, Part> plan, int leader)
      throws IOException, InterruptedException {
    boolean stands =
        plan.blows().stream()
            .anyMatch(
                blow ->
                    blow.part() == Part.OPERATOR
                        && (blow.fault() == Fault.KILL || blow.fault() == Fault.STOP));
    if (point == Point.LOADED) {
      chaos.proceedOperators(leader, !stands);
    }
  }

  /** Lets the migration go on. */
  void letGo(Held held) throws IOException, InterruptedException {
    Step step =
        switch (point) {
          case PENDING, VALIDATING ->
              () -> {
                held.predecessor().ifPresent(AppliedMigration::cancel);
                chaos.controlLink(destination().node()).restore();
              };
          case PREPARING, PAUSING, CLEANING_UP, ROLLING_BACK ->
              () -> source().console().clearFaults();
          case LOADING, COMMITTED, ACTION_REQUIRED -> () -> destination().console().clearFaults();
          case PRE_COPY -> () -> held.migration().switchOver();
          case LOADED -> () -> {};
        };
    step.take();
  }
}
