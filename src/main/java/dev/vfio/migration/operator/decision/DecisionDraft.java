package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a phase decides with: the observation, the status being changed, and the commands given so
 * far. Lives for one decision and is not thread-safe.
 */
final class DecisionDraft {
  /**
   * How soon to look again while a command is under way or an agent is waited for, should no event
   * come.
   */
  static final Duration SOON = Duration.ofSeconds(2);

  private final Observation seen;
  private final StatusDraft status;
  private final ReadyConditions ready;
  private final List<Command> commands = new ArrayList<>();

  DecisionDraft(Observation seen) {
    this.seen = seen;
    this.status =
        new StatusDraft(
            seen.now(), seen.steady(), seen.firstSeen(), seen.generation(), seen.status());
    this.ready = new ReadyConditions(status);
  }

  Observation seen() {
    return seen;
  }

  Settings settings() {
    return seen.settings();
  }

  Side source() {
    return seen.source();
  }

  Side destination() {
    return seen.destination();
  }

  List<Side> sides() {
    return List.of(seen.source(), seen.destination());
  }

  StatusDraft status() {
    return status;
  }

  ReadyConditions ready() {
    return ready;
  }

  void command(Command command) {
    commands.add(command);
  }

  /** Records what both agents report: device states, progress. */
  void recordReports() {
    status.deviceStates(deviceState(source()), deviceState(destination()));
    source()
        .session()
        .filter(Session::hasProgress)
        .map(Session::getProgress)
        .ifPresent(status::progress);
  }

  private static DeviceState deviceState(Side side) {
    return side.session().map(Session::getDeviceState).orElse(DeviceState.DEVICE_STATE_UNSPECIFIED);
  }

  /** A command may have reached either device: from now on both count as touched. */
  void touchBoth() {
    status.touch(Role.SOURCE).touch(Role.DESTINATION);
  }

  /** Decides the handover: RolledBack. Commands that led forward are dropped. */
  Decision rollBack(ConditionReason reason, String message, boolean cancelled) {
    commands.clear();
    status
        .condition(ConditionType.SUCCEEDED, Status.FALSE, reason, message)
        .rollBack(reason, message, cancelled);
    for (Side side : sides()) {
      // A side that refused its first command was not touched: nothing has to be rolled back there.
      side.refusal()
          .filter(refusal -> refusal.touchedNothing() && side.session().isEmpty())
          .ifPresent(refusal -> ready.refused(side, refusal));
    }
    return again(Duration.ZERO);
  }

  /** To be decided again after {@code wait}, or when something is reported. */
  Decision again(Duration wait) {
    return decision(Optional.of(wait), false);
  }

  /**
   * It has ended and nothing is left to be cleaned up; is deleted once its time to live is over.
   */
  Decision finished() {
    Optional<Duration> left =
        settings().timeToLive().map(timeToLive -> timeToLive.minus(status.timeIn(status.phase())));
    boolean over = left.filter(time -> time.isNegative() || time.isZero()).isPresent();
    if (over && !seen.deletionRequested()) {
      command(new Command.Delete());
      return decision(Optional.of(SOON), true);
    }
    return decision(left.filter(time -> !time.isNegative()), true);
  }

  private Decision decision(Optional<Duration> checkAgain, boolean finished) {
    if (seen.leads() && !status.phase().untouched() && !status.phase().terminal()) {
      // Recorded before any command under it: another replica may have to go on with it.
      seen.fencingNumber().ifPresent(status::ledUnder);
    }
    return new Decision(status.build(seen.attempt()), commands, checkAgain, finished);
  }
}
