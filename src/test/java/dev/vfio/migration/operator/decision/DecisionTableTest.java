package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.fake.Specs;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The decision table, row by row, by the name of the rule it holds. */
class DecisionTableTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:10:00Z");
  private static final Side.Agent HERE = new Side.Reachable("10.0.0.1");
  private static final Side.Agent AWAY = new Side.Unreachable("no route", NOW.minusSeconds(5));
  private static final Side.Agent LONG_AWAY =
      new Side.Unreachable("no route", NOW.minusSeconds(45));

  /** One row: what is seen, and what must follow. */
  record Row(
      String rule,
      DeviceMigrationStatus status,
      Side source,
      Side destination,
      Phase phase,
      Handover handover,
      List<Class<?>> commands) {
    Row sees(Side newSource, Side newDestination) {
      return new Row(rule, status, newSource, newDestination, null, null, List.of());
    }

    Row gives(Phase newPhase, Handover newHandover, Class<?>... newCommands) {
      return new Row(
          rule, status, source, destination, newPhase, newHandover, List.of(newCommands));
    }

    @Override
    public String toString() {
      return rule;
    }
  }

  private static DeviceMigrationStatus at(
      Phase phase, Instant since, UnaryOperator<StatusDraft> change) {
    StatusDraft draft =
        new StatusDraft(since, 1, DeviceMigrationStatus.EMPTY)
            .touch(Role.SOURCE)
            .touch(Role.DESTINATION)
            .condition(ConditionType.DESTINATION_READY, Status.TRUE, ConditionReason.READY, "")
            .condition(ConditionType.SOURCE_READY, Status.TRUE, ConditionReason.READY, "");
    return change.apply(draft).enter(phase).build(1);
  }

  private static DeviceMigrationStatus at(Phase phase) {
    return at(phase, NOW.minusSeconds(1), draft -> draft);
  }

  private static DeviceMigrationStatus committed(int secondsAgo) {
    return at(Phase.COMMITTED, NOW.minusSeconds(secondsAgo), StatusDraft::commit);
  }

  private static DeviceMigrationStatus rolledBack(boolean cancelled) {
    return at(
        Phase.ROLLING_BACK,
        NOW.minusSeconds(1),
        draft -> draft.rollBack(ConditionReason.STREAM_BROKEN, "cut", cancelled));
  }

  private static Side side(Role role, Side.Agent agent, SessionState state, Device listed) {
    Optional<Session> session =
        state == null
            ? Optional.empty()
            : Optional.of(
                Session.newBuilder().setRole(role).setState(state).setInstanceId("i").build());
    return new Side(
        role,
        role == Role.SOURCE ? Specs.live().source() : Specs.live().destination(),
        agent,
        session,
        Optional.empty(),
        listed == null ? Optional.empty() : Optional.of(new Side.Inspection(Optional.of(listed))));
  }

  private static Side source(SessionState state) {
    return side(Role.SOURCE, HERE, state, null);
  }

  private static Side destination(SessionState state) {
    return side(Role.DESTINATION, HERE, state, null);
  }

  private static Side looked(Side side, SessionState found, String instance) {
    return new Side(
        side.role(),
        side.location(),
        side.agent(),
        side.session(),
        side.refusal(),
        side.inspection(),
        Optional.of(
            Session.newBuilder()
                .setRole(side.role())
                .setState(found)
                .setInstanceId(instance)
                .build()));
  }

  private static Side failing(Side side, Reason reason) {
    Session failed =
        side.session().orElseThrow().toBuilder()
            .setFailure(Failure.newBuilder().setReason(reason).setMessage("errno 5"))
            .build();
    return new Side(
        side.role(),
        side.location(),
        side.agent(),
        Optional.of(failed),
        side.refusal(),
        side.inspection(),
        side.verification());
  }

  private static Device device(DeviceState state) {
    return Device.newBuilder()
        .setId("vfio-user:gpu-0")
        .setInterface(MigrationInterface.REGION_2018)
        .setState(state)
        .build();
  }

  private static Row row(String rule, DeviceMigrationStatus status) {
    return new Row(rule, status, null, null, null, null, List.of());
  }

  static Stream<Row> rows() {
    Side awaiting = source(SessionState.SOURCE_AWAITING_DECISION);
    Side loaded = destination(SessionState.DESTINATION_LOADED);
    return Stream.of(
        row(
                "prepares the destination before the source is touched",
                at(Phase.PREPARING, NOW, draft -> draft.settle(Role.SOURCE)))
            .sees(source(null), destination(null))
            .gives(Phase.PREPARING, Handover.UNDECIDED, Command.PrepareDestination.class),
        row(
                "records that the source may be touched before it commands it",
                at(Phase.PREPARING, NOW, draft -> draft.settle(Role.SOURCE)))
            .sees(source(null), destination(SessionState.DESTINATION_LISTENING))
            .gives(Phase.PREPARING, Handover.UNDECIDED),
        row("starts the source once the destination listens", at(Phase.PREPARING))
            .sees(source(null), destination(SessionState.DESTINATION_LISTENING))
            .gives(Phase.PREPARING, Handover.UNDECIDED, Command.StartSource.class),
        row("asks an agent that should have a session and reports none", at(Phase.PRE_COPY))
            .sees(source(null), destination(SessionState.DESTINATION_RECEIVING))
            .gives(Phase.PRE_COPY, Handover.UNDECIDED, Command.Inspect.class),
        row("goes back when the source has lost its session", at(Phase.PRE_COPY))
            .sees(
                side(Role.SOURCE, HERE, null, device(DeviceState.PRECOPY)),
                destination(SessionState.DESTINATION_RECEIVING))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row("pauses the source when it switches over", at(Phase.SWITCHING_OVER))
            .sees(
                source(SessionState.SOURCE_PRECOPY),
                destination(SessionState.DESTINATION_RECEIVING))
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED, Command.SwitchOver.class),
        row(
                "asks for a look once everything is loaded and the source waits",
                at(Phase.SWITCHING_OVER))
            .sees(awaiting, loaded)
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED, Command.VerifyLoaded.class),
        row("commits on a look that was asked for once the source waited", at(Phase.SWITCHING_OVER))
            .sees(awaiting, looked(loaded, SessionState.DESTINATION_LOADED, "i"))
            .gives(Phase.COMMITTED, Handover.COMMITTED),
        row(
                "does not commit on a look of an agent that was restarted since",
                at(Phase.SWITCHING_OVER))
            .sees(awaiting, looked(loaded, SessionState.DESTINATION_LOADED, "before"))
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED, Command.VerifyLoaded.class),
        row("does not commit on a look that found something else", at(Phase.SWITCHING_OVER))
            .sees(awaiting, looked(loaded, SessionState.DESTINATION_STRANDED, "i"))
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED, Command.VerifyLoaded.class),
        row("does not commit what was reported lost after the look", at(Phase.SWITCHING_OVER))
            .sees(
                awaiting,
                failing(
                    looked(
                        destination(SessionState.DESTINATION_STRANDED),
                        SessionState.DESTINATION_LOADED,
                        "i"),
                    Reason.DEVICE_UNREACHABLE))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row("goes back where nobody is left to take what is loaded", at(Phase.SWITCHING_OVER))
            .sees(
                awaiting,
                failing(
                    destination(SessionState.DESTINATION_STRANDED), Reason.WORKLOAD_UNREACHABLE))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row("does not ask for a look before the source waits", at(Phase.SWITCHING_OVER))
            .sees(
                source(SessionState.SOURCE_STOPNCOPY),
                looked(loaded, SessionState.DESTINATION_LOADED, "i"))
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED),
        row(
                "gives up looking when the pause takes too long",
                at(Phase.SWITCHING_OVER, NOW.minusSeconds(61), draft -> draft))
            .sees(awaiting, loaded)
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row(
                "does not commit while the source may still go back by itself",
                at(Phase.SWITCHING_OVER))
            .sees(source(SessionState.SOURCE_STOPNCOPY), loaded)
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED),
        row("does not commit before everything is loaded", at(Phase.SWITCHING_OVER))
            .sees(awaiting, destination(SessionState.DESTINATION_RECEIVING))
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED),
        row("does not commit while the destination is out of reach", at(Phase.SWITCHING_OVER))
            .sees(awaiting, side(Role.DESTINATION, AWAY, SessionState.DESTINATION_LOADED, null))
            .gives(Phase.SWITCHING_OVER, Handover.UNDECIDED),
        row("goes back when an agent stays away", at(Phase.SWITCHING_OVER))
            .sees(
                awaiting, side(Role.DESTINATION, LONG_AWAY, SessionState.DESTINATION_LOADED, null))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row(
                "goes back when the pause takes too long",
                at(Phase.SWITCHING_OVER, NOW.minusSeconds(61), draft -> draft))
            .sees(
                source(SessionState.SOURCE_STOPNCOPY),
                destination(SessionState.DESTINATION_RECEIVING))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row("goes back when a side fails", at(Phase.PRE_COPY))
            .sees(
                failing(source(SessionState.SOURCE_ROLLING_BACK), Reason.DEVICE_READ_FAILED),
                destination(SessionState.DESTINATION_RECEIVING))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row(
                "activates the destination after the decision, and the source keeps its copy",
                committed(1))
            .sees(awaiting, loaded)
            .gives(Phase.COMMITTED, Handover.COMMITTED, Command.Activate.class),
        row("waits for a destination that is out of reach after the decision", committed(1))
            .sees(
                awaiting, side(Role.DESTINATION, LONG_AWAY, SessionState.DESTINATION_LOADED, null))
            .gives(Phase.COMMITTED, Handover.COMMITTED),
        row("calls for a person when activation takes too long", committed(31))
            .sees(
                awaiting, side(Role.DESTINATION, LONG_AWAY, SessionState.DESTINATION_LOADED, null))
            .gives(Phase.ACTION_REQUIRED, Handover.COMMITTED),
        row("tries a stranded destination again and calls for a person", committed(1))
            .sees(awaiting, destination(SessionState.DESTINATION_STRANDED))
            .gives(Phase.ACTION_REQUIRED, Handover.COMMITTED, Command.Activate.class),
        row(
                "never activates beside a source that was on its way back, and never goes back"
                    + " either",
                committed(1))
            .sees(failing(source(SessionState.SOURCE_STRANDED), Reason.TRANSITION_FAILED), loaded)
            .gives(Phase.ACTION_REQUIRED, Handover.COMMITTED),
        row("succeeds when the destination runs, and only then lets the source go", committed(1))
            .sees(awaiting, destination(SessionState.DESTINATION_ACTIVE))
            .gives(Phase.SUCCEEDED, Handover.COMMITTED, Command.Commit.class),
        row("calls for a person when a committed destination discards the state", committed(1))
            .sees(awaiting, destination(SessionState.DESTINATION_DISCARDED))
            .gives(Phase.ACTION_REQUIRED, Handover.COMMITTED),
        row("tells both sides to go back", rolledBack(false))
            .sees(
                source(SessionState.SOURCE_PRECOPY),
                destination(SessionState.DESTINATION_RECEIVING))
            .gives(
                Phase.ROLLING_BACK,
                Handover.ROLLED_BACK,
                Command.RollBack.class,
                Command.RollBack.class),
        row("cancels both sides where it was cancelled", rolledBack(true))
            .sees(
                source(SessionState.SOURCE_PRECOPY),
                destination(SessionState.DESTINATION_RECEIVING))
            .gives(
                Phase.ROLLING_BACK,
                Handover.ROLLED_BACK,
                Command.Cancel.class,
                Command.Cancel.class),
        row("fails once both sides are back", rolledBack(false))
            .sees(
                source(SessionState.SOURCE_ROLLED_BACK),
                destination(SessionState.DESTINATION_DISCARDED))
            .gives(Phase.FAILED, Handover.ROLLED_BACK),
        row("is cancelled once both sides are back", rolledBack(true))
            .sees(
                source(SessionState.SOURCE_ROLLED_BACK),
                destination(SessionState.DESTINATION_DISCARDED))
            .gives(Phase.CANCELLED, Handover.ROLLED_BACK),
        row("waits for a source that is out of reach and never guesses", rolledBack(false))
            .sees(
                side(Role.SOURCE, LONG_AWAY, SessionState.SOURCE_AWAITING_DECISION, null),
                destination(SessionState.DESTINATION_DISCARDED))
            .gives(Phase.ROLLING_BACK, Handover.ROLLED_BACK),
        row("calls for a person when a forgotten source does not run", rolledBack(false))
            .sees(
                side(Role.SOURCE, HERE, null, device(DeviceState.STOPNCOPY)),
                destination(SessionState.DESTINATION_DISCARDED))
            .gives(Phase.ACTION_REQUIRED, Handover.ROLLED_BACK),
        row("accepts a forgotten source that runs", rolledBack(false))
            .sees(
                side(Role.SOURCE, HERE, null, device(DeviceState.RUNNING)),
                destination(SessionState.DESTINATION_DISCARDED))
            .gives(Phase.FAILED, Handover.ROLLED_BACK),
        row("calls for a person when a rolled back destination runs", rolledBack(false))
            .sees(
                source(SessionState.SOURCE_ROLLED_BACK),
                destination(SessionState.DESTINATION_ACTIVE))
            .gives(Phase.ACTION_REQUIRED, Handover.ROLLED_BACK));
  }

  private static Decision decide(
      DeviceMigrationStatus status, Side source, Side destination, DeviceMigrationSpec spec) {
    try {
      return Decisions.decide(
          new Observation(
              NOW,
              NOW,
              FirstSeenFixtures.fromTheBeginning(status, NOW),
              "default",
              MigrationScene.ADMIN_NAMESPACES,
              "uid",
              1,
              false,
              Settings.of(spec),
              status,
              Optional.empty(),
              source,
              destination,
              Optional.empty(),
              true,
              OptionalLong.of(1)));
    } catch (InvalidSpecException invalid) {
      throw new IllegalStateException(invalid);
    }
  }

  @ParameterizedTest
  @MethodSource("rows")
  void holds(Row row) {
    Decision decision = decide(row.status(), row.source(), row.destination(), Specs.live());
    assertThat(decision.status().phase()).isEqualTo(row.phase());
    assertThat(decision.status().handover()).isEqualTo(row.handover());
    assertThat(decision.commands())
        .<Class<?>>extracting(Command::getClass)
        .containsExactlyElementsOf(row.commands());
  }

  /**
   * Whatever the agents report: a decision that was taken stays, and its commands lead one way
   * only.
   */
  @ParameterizedTest
  @EnumSource(SessionState.class)
  void nothingChangesADecision(SessionState reported) {
    for (SessionState other : SessionState.values()) {
      if (reported == SessionState.UNRECOGNIZED || other == SessionState.UNRECOGNIZED) {
        continue;
      }
      for (int age : new int[] {1, 100}) {
        Decision forward =
            decide(
                committed(age),
                source(reported),
                destination(other),
                Specs.cancelled(Specs.live()));
        assertThat(forward.status().handover()).isEqualTo(Handover.COMMITTED);
        assertThat(forward.commands())
            .noneMatch(
                command ->
                    command instanceof Command.RollBack || command instanceof Command.Cancel);
      }
      Decision back = decide(rolledBack(false), source(reported), destination(other), Specs.live());
      assertThat(back.status().handover()).isEqualTo(Handover.ROLLED_BACK);
      assertThat(back.commands())
          .noneMatch(
              command -> command instanceof Command.Activate || command instanceof Command.Commit);
    }
  }
}
