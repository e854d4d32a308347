package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.PendingBytes;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.Convergence.Mode;
import dev.vfio.migration.operator.api.Convergence.OnStall;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.api.Touched;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.convergence.Sample;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.FirstSeenTimes;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;

/** One migration as the decision sees it, changed step by step as the world changes. */
final class MigrationScene {
  static final long MIB = 1L << 20;
  static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  static final DeviceLocation SOURCE = new DeviceLocation("node-a", "vfio-user:gpu-0");
  static final DeviceLocation DESTINATION = new DeviceLocation("node-b", "vfio-user:gpu-0");

  static final AdminNamespaces ADMIN_NAMESPACES =
      AdminNamespaces.of(List.of("default", "vfio-migration"));

  private Instant now = START;
  private String namespace = "default";
  private long generation = 1;
  private boolean deletion;
  private String takeBack;
  private Mode mode = Mode.LIVE;
  private Switchover switchover = Switchover.AUTOMATIC;
  private DeviceMigrationStatus status = DeviceMigrationStatus.EMPTY;
  private Side source = reachable(Role.SOURCE, SOURCE);
  private Side destination = reachable(Role.DESTINATION, DESTINATION);
  private Optional<History> history = Optional.empty();
  private boolean leads = true;
  private OptionalLong fencingNumber = OptionalLong.of(1);
  private Decision last;
  private FirstSeenTimes firstSeen = FirstSeenTimes.NONE;

  private static Side reachable(Role role, DeviceLocation location) {
    return new Side(
        role,
        location,
        new Side.Reachable("10.0.0.1"),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  /** A replica looks that does not lead; the leader recorded that number. */
  MigrationScene standby(OptionalLong recorded) {
    leads = false;
    fencingNumber = recorded;
    return this;
  }

  MigrationScene namespace(String next) {
    namespace = next;
    return this;
  }

  MigrationScene mode(Mode next) {
    mode = next;
    return this;
  }

  MigrationScene switchover(Switchover next) {
    switchover = next;
    generation++;
    return this;
  }

  MigrationScene delete() {
    deletion = true;
    return this;
  }

  /** An administrator wants the source to run again. */
  MigrationScene takeBack(String why) {
    takeBack = why;
    generation++;
    return this;
  }

  MigrationScene after(Duration time) {
    now = now.plus(time);
    return this;
  }

  /** Now, by the monotonic clock. */
  Instant steady() {
    return now;
  }

  /** The record says that this phase was entered now. */
  MigrationScene phase(Phase phase) {
    status = new StatusDraft(now, generation, status).enter(phase).build(1);
    firstSeen = firstSeen.and(status, now);
    return this;
  }

  MigrationScene record(UnaryOperator<StatusDraft> change) {
    status = change.apply(new StatusDraft(now, generation, status)).build(1);
    firstSeen = firstSeen.and(status, now);
    return this;
  }

  /** Somebody takes the decision out of the record, and leaves the rest. */
  MigrationScene loseHandover() {
    DeviceMigrationStatus was = status;
    status = only(was.phase(), null, null, null, was.phaseTransitions(), was.conditions());
    return this;
  }

  /** Somebody leaves nothing of the record but the decision. */
  MigrationScene losePhases() {
    status = only(null, status.handover(), status.rollback(), null, null, null);
    return this;
  }

  /** Somebody takes out when each phase was entered. */
  MigrationScene loseTransitions() {
    DeviceMigrationStatus was = status;
    status = only(was.phase(), was.handover(), was.rollback(), was.touched(), null, null);
    return this;
  }

  private static DeviceMigrationStatus only(
      Phase phase,
      Handover handover,
      Rollback rollback,
      Touched touched,
      List<PhaseTransition> transitions,
      List<Condition> conditions) {
    return new DeviceMigrationStatus(
        phase,
        null,
        null,
        handover,
        rollback,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        touched,
        null,
        null,
        transitions,
        conditions,
        null);
  }

  /** Somebody takes all of the record away. */
  MigrationScene loseStatus() {
    status = DeviceMigrationStatus.EMPTY;
    return this;
  }

  /** Both devices have been reached by commands. */
  MigrationScene touched() {
    return record(draft -> draft.touch(Role.SOURCE).touch(Role.DESTINATION));
  }

  MigrationScene rolledBack(ConditionReason reason) {
    return touched().record(draft -> draft.rollBack(reason, "because", false));
  }

  MigrationScene source(SessionState state) {
    return source(Session.newBuilder().setState(state));
  }

  MigrationScene source(Session.Builder session) {
    source = with(source, Optional.of(session.setRole(Role.SOURCE).build()));
    return this;
  }

  MigrationScene destination(SessionState state) {
    return destination(Session.newBuilder().setState(state));
  }

  MigrationScene destination(Session.Builder session) {
    destination = with(destination, Optional.of(session.setRole(Role.DESTINATION).build()));
    return this;
  }

  /** Both agents report a session. */
  MigrationScene sessions(SessionState sourceState, SessionState destinationState) {
    return source(sourceState).destination(destinationState);
  }

  /** The record says that {@code phase} was entered now, and both agents report a session. */
  MigrationScene at(Phase phase, SessionState sourceState, SessionState destinationState) {
    return phase(phase).touched().sessions(sourceState, destinationState);
  }

  MigrationScene sourceAgent(Side.Agent agent) {
    return replace(source, agent, source.refusal(), source.inspection());
  }

  MigrationScene destinationAgent(Side.Agent agent) {
    return replace(destination, agent, destination.refusal(), destination.inspection());
  }

  /** It released its device without resetting it. */
  MigrationScene destination(SessionState state, String resetFailure) {
    return destination(
        Session.newBuilder()
            .setState(state)
            .setResetFailed(true)
            .setFailure(Failure.newBuilder().setMessage(resetFailure)));
  }

  MigrationScene withoutSource() {
    source = with(source, Optional.empty());
    return this;
  }

  MigrationScene withoutDestination() {
    destination = with(destination, Optional.empty());
    return this;
  }

  /** The agent lists the device so; not claimed by this migration. */
  MigrationScene listed(Role role, UnaryOperator<Device.Builder> device) {
    Side side = side(role);
    Device listed =
        device
            .apply(
                Device.newBuilder()
                    .setId(side.location().device())
                    .setInterface(MigrationInterface.REGION_2018))
            .build();
    return replace(
        side, side.agent(), side.refusal(), Optional.of(new Side.Inspection(Optional.of(listed))));
  }

  /** The agent refused {@code command}. */
  MigrationScene refused(Command command, Reason reason, boolean lasting) {
    Side side = side(command.side());
    Side.Refusal refusal = new Side.Refusal(command, reason, "refused: " + reason, lasting);
    return replace(side, side.agent(), Optional.of(refusal), side.inspection());
  }

  private Side side(Role role) {
    return role == Role.SOURCE ? source : destination;
  }

  private MigrationScene replace(
      Side side,
      Side.Agent agent,
      Optional<Side.Refusal> refusal,
      Optional<Side.Inspection> inspection) {
    Side next = new Side(side.role(), side.location(), agent, side.session(), refusal, inspection);
    source = next.role() == Role.SOURCE ? next : source;
    destination = next.role() == Role.DESTINATION ? next : destination;
    return this;
  }

  private static Side with(Side side, Optional<Session> session) {
    return new Side(
        side.role(), side.location(), side.agent(), session, Optional.empty(), Optional.empty());
  }

  /** What the stall rule has seen, the newest sample last. */
  MigrationScene copied(Sample... samples) {
    for (Sample sample : samples) {
      history =
          Optional.of(history.map(known -> known.and(sample)).orElse(History.startingWith(sample)));
    }
    return this;
  }

  static Progress progress(long pending, long transferred) {
    return Progress.newBuilder()
        .setPending(PendingBytes.newBuilder().setCompatible(pending))
        .setTransferredBytes(transferred)
        .build();
  }

  Observation seen() {
    try {
      firstSeen = firstSeen.and(status, now);
      return new Observation(
          now,
          now,
          firstSeen,
          namespace,
          ADMIN_NAMESPACES,
          "uid",
          generation,
          deletion,
          Settings.of(
              new DeviceMigrationSpec(
                  SOURCE,
                  DESTINATION,
                  new Convergence(mode, null, null, null, OnStall.CANCEL),
                  null,
                  null,
                  false,
                  switchover,
                  null,
                  takeBack,
                  null)),
          status,
          Optional.empty(),
          source,
          destination,
          history,
          leads,
          fencingNumber);
    } catch (InvalidSpecException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** The destination's agent was asked, and confirms what it reports. */
  MigrationScene verified() {
    destination =
        new Side(
            destination.role(),
            destination.location(),
            destination.agent(),
            destination.session(),
            Optional.empty(),
            Optional.empty(),
            destination.session());
    return this;
  }

  /** Decides once, and records what was decided. */
  Decision decide() {
    last = Decisions.decide(seen());
    status = last.status();
    firstSeen = firstSeen.and(status, now);
    return last;
  }

  DeviceMigrationStatus status() {
    return status;
  }

  String reason(ConditionType type) {
    return condition(type).map(Condition::reason).orElse("");
  }

  String message(ConditionType type) {
    return condition(type).map(Condition::message).orElse("");
  }

  private Optional<Condition> condition(ConditionType type) {
    return status.conditions().stream()
        .filter(condition -> condition.type().equals(type.text()))
        .findFirst();
  }
}
