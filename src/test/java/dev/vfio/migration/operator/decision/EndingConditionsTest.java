package dev.vfio.migration.operator.decision;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each way in which a migration ends, and what each of its conditions then says: what was seen of
 * the devices, and not what usually holds; and no text of an agent twice.
 */
class EndingConditionsTest {
  private static final String CAUSE = "writing state failed with EIO (5) because of cause-1.";
  private static final String LATER = "The device could not be reset (later-2).";

  /** Status, reason and words of a condition at the end. */
  private record Said(Condition.Status status, String reason, String words) {}

  private record Ending(
      String name, Phase phase, Consumer<MigrationScene> course, Map<ConditionType, Said> said) {
    Ending says(ConditionType type, Condition.Status status, String reason, String words) {
      said.put(type, new Said(status, reason, words));
      return this;
    }

    Ending source(Condition.Status status, String reason, String words) {
      return says(ConditionType.SOURCE_READY, status, reason, words);
    }

    Ending destination(Condition.Status status, String reason, String words) {
      return says(ConditionType.DESTINATION_READY, status, reason, words);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static Ending ending(String name, Phase phase, Consumer<MigrationScene> course) {
    return new Ending(name, phase, course, new EnumMap<>(ConditionType.class));
  }

  private static Session.Builder session(SessionState state) {
    return Session.newBuilder().setState(state);
  }

  private static Session.Builder seen(SessionState state, DeviceState device) {
    return session(state).setDeviceState(device);
  }

  private static Failure failure(Reason reason, String message) {
    return Failure.newBuilder().setReason(reason).setMessage(message).build();
  }

  /** Copying, with all that a copy leaves in the status. */
  private static MigrationScene copying(MigrationScene scene) {
    return scene
        .touched()
        .record(
            draft ->
                draft.condition(
                    ConditionType.CONVERGED,
                    Condition.Status.FALSE,
                    ConditionReason.COPYING,
                    "12Mi pending at 400Mi/s."))
        .phase(Phase.PRE_COPY)
        .source(
            seen(SessionState.SOURCE_PRECOPY, DeviceState.PRECOPY)
                .setProgress(
                    MigrationScene.progress(12 * MigrationScene.MIB, 40 * MigrationScene.MIB)
                        .toBuilder()
                        .setBytesPerSecond(400 * MigrationScene.MIB)))
        .destination(seen(SessionState.DESTINATION_RECEIVING, DeviceState.RESUME));
  }

  private static MigrationScene failing(MigrationScene scene) {
    copying(scene)
        .destination(
            seen(SessionState.DESTINATION_DISCARDING, DeviceState.RESUME)
                .setFailure(failure(Reason.DEVICE_WRITE_FAILED, CAUSE)))
        .decide();
    return scene;
  }

  private static Session.Builder discarded() {
    return seen(SessionState.DESTINATION_DISCARDED, DeviceState.NONE)
        .setFailure(failure(Reason.DEVICE_WRITE_FAILED, CAUSE));
  }

  /** As an agent reports it that was told to roll back: it repeats why. */
  private static Session.Builder back(DeviceState state, long pausedNanos) {
    return seen(SessionState.SOURCE_ROLLED_BACK, state)
        .setProgress(
            MigrationScene.progress(12 * MigrationScene.MIB, 40 * MigrationScene.MIB).toBuilder()
                .setDowntimeNanos(pausedNanos))
        .setFailure(
            failure(
                Reason.ROLLED_BACK,
                "the operator rolled back: DeviceWriteFailed: vfio-user:gpu-0 on node-b"
                    + " (destination): "
                    + CAUSE));
  }

  static Stream<Ending> endings() {
    Condition.Status no = Condition.Status.FALSE;
    Condition.Status yes = Condition.Status.TRUE;
    Condition.Status unknown = Condition.Status.UNKNOWN;
    return Stream.of(
        ending(
                "refused at validation, the device left over",
                Phase.FAILED,
                scene -> {
                  scene.decide();
                  scene
                      .listed(
                          Role.SOURCE,
                          device ->
                              device
                                  .setState(DeviceState.SAVE_COMPLETED)
                                  .setNotMigratable(failure(Reason.DEVICE_NOT_RESET, CAUSE)))
                      .listed(Role.DESTINATION, device -> device.setState(DeviceState.NONE))
                      .decide();
                })
            .says(ConditionType.VALIDATED, no, "DeviceNotReset", "cause-1")
            .source(no, "NotStarted", "not touched. It was seen in SAVE_COMPLETED")
            .destination(no, "NotStarted", "not touched. It was seen in NONE")
            .says(ConditionType.CONVERGED, no, "NotStarted", "Nothing was copied")
            .says(ConditionType.HANDED_OVER, no, "RolledBack", "nothing was touched")
            .says(ConditionType.SUCCEEDED, no, "DeviceNotReset", "Validated says why"),
        ending(
                "cancelled before anything was looked at",
                Phase.CANCELLED,
                scene -> {
                  scene.decide();
                  scene.delete().decide();
                })
            .says(ConditionType.VALIDATED, unknown, "CancelledByDeletion", "before both devices")
            .source(no, "NotStarted", "not touched.")
            .destination(no, "NotStarted", "not touched.")
            .says(ConditionType.CONVERGED, no, "NotStarted", "Nothing was copied")
            .says(
                ConditionType.SUCCEEDED, no, "CancelledByDeletion", "before anything was touched"),
        ending(
                "rolled back, the source never paused",
                Phase.FAILED,
                scene ->
                    failing(scene).source(back(DeviceState.RUNNING, 0)).destination(discarded()))
            .source(no, "RolledBack", "is RUNNING; its workload was not paused")
            .destination(no, "Discarded", "is released, in NONE. Succeeded says why")
            .says(ConditionType.CONVERGED, no, "RolledBack", "dropped. Last said: 12Mi")
            .says(ConditionType.HANDED_OVER, no, "RolledBack", "Succeeded says why")
            .says(ConditionType.SUCCEEDED, no, "DeviceWriteFailed", "cause-1"),
        ending(
                "cancelled while it copied, before the copy was judged",
                Phase.CANCELLED,
                scene -> {
                  scene
                      .phase(Phase.PREPARING)
                      .touched()
                      .source(seen(SessionState.SOURCE_PRECOPY, DeviceState.PRECOPY))
                      .destination(seen(SessionState.DESTINATION_RECEIVING, DeviceState.RESUME))
                      .delete()
                      .decide();
                  scene
                      .source(
                          seen(SessionState.SOURCE_ROLLED_BACK, DeviceState.RUNNING)
                              .setProgress(MigrationScene.progress(1, 29 * MigrationScene.MIB)))
                      .destination(
                          seen(SessionState.DESTINATION_DISCARDED, DeviceState.NONE)
                              .setFailure(
                                  failure(Reason.STREAM_BROKEN, "the source hung up (later-2).")));
                })
            .source(no, "RolledBack", "was not paused")
            .destination(no, "Discarded", "is released, in NONE. Succeeded says why")
            .says(ConditionType.CONVERGED, no, "RolledBack", "the copy is dropped")
            .says(ConditionType.SUCCEEDED, no, "CancelledByDeletion", "deleted before"),
        ending(
                "rolled back out of the pause",
                Phase.FAILED,
                scene ->
                    failing(scene)
                        .source(back(DeviceState.RUNNING, 12_000_000))
                        .destination(discarded()))
            .source(no, "RolledBack", "is RUNNING and its workload goes on, after a pause of 12ms"),
        ending(
                "rolled back, the source found in the middle of something and left there",
                Phase.FAILED,
                scene ->
                    failing(scene)
                        .source(back(DeviceState.SAVE_COMPLETED, 0))
                        .destination(discarded()))
            .source(no, "DeviceNotReset", "is in SAVE_COMPLETED and does not run"),
        ending(
                "rolled back, the source never told to run",
                Phase.FAILED,
                scene -> failing(scene).source(back(DeviceState.NONE, 0)).destination(discarded()))
            .source(no, "RolledBack", "is in NONE"),
        ending(
                "rolled back, the source's device not seen",
                Phase.FAILED,
                scene ->
                    failing(scene)
                        .source(back(DeviceState.DEVICE_STATE_UNSPECIFIED, 0))
                        .destination(discarded()))
            .source(
                unknown, "RolledBack", "did not see in which state. It was last seen in PRECOPY"),
        ending(
                "rolled back, the source's workload gone",
                Phase.FAILED,
                scene ->
                    failing(scene)
                        .source(
                            back(DeviceState.RUNNING, 0)
                                .setFailure(
                                    Failure.newBuilder()
                                        .setReason(Reason.WORKLOAD_UNREACHABLE)
                                        .setErrno(3)
                                        .setMessage("it died (later-2).")))
                        .destination(discarded()))
            .source(no, "WorkloadUnreachable", "no workload any more. Its agent says: it died")
            .says(ConditionType.SUCCEEDED, no, "DeviceWriteFailed", "anew. SourceReady says"),
        ending(
                "rolled back, the destination not reset",
                Phase.FAILED,
                scene ->
                    failing(scene)
                        .source(back(DeviceState.RUNNING, 0))
                        .destination(
                            discarded()
                                .setResetFailed(true)
                                .setFailure(
                                    failure(Reason.DEVICE_WRITE_FAILED, CAUSE + " " + LATER))))
            .destination(no, "ResetFailed", "was not reset. Its agent says: " + LATER)
            .says(ConditionType.SUCCEEDED, no, "DeviceWriteFailed", "DestinationReady says"),
        ending(
                "a rollback that the source cannot carry out",
                Phase.ACTION_REQUIRED,
                scene ->
                    failing(scene)
                        .source(
                            session(SessionState.SOURCE_STRANDED)
                                .setFailure(failure(Reason.TRANSITION_FAILED, LATER)))
                        .destination(discarded()))
            .source(no, "Stranded", "not be brought back to RUNNING. Succeeded says why")
            .says(ConditionType.SUCCEEDED, no, "Stranded", "later-2"),
        ending(
                "rolled back, the source's agent gone since",
                Phase.ACTION_REQUIRED,
                scene ->
                    failing(scene)
                        .sourceAgent(new Side.Absent(MigrationScene.START))
                        .destination(discarded())
                        .after(Duration.ofMinutes(5)))
            .source(unknown, "AgentUnavailable", "no agent pod runs on that node")
            .says(ConditionType.SUCCEEDED, no, "RollingBack", "no agent pod runs on that node"),
        ending(
                "rolled back, both agents forgot it, the source runs",
                Phase.FAILED,
                scene -> {
                  failing(scene);
                  forgotten(scene, DeviceState.RUNNING, DeviceState.RESUME);
                })
            .source(no, "RolledBack", "holds no session of this migration and lists")
            .destination(no, "SessionLost", "lists vfio-user:gpu-0 as RESUME. Reset it"),
        ending(
                "rolled back, both agents forgot it, the source does not run",
                Phase.ACTION_REQUIRED,
                scene -> {
                  failing(scene);
                  forgotten(scene, DeviceState.STOPNCOPY, DeviceState.DEVICE_STATE_UNSPECIFIED);
                })
            .source(unknown, "SessionLost", "lists vfio-user:gpu-0 as STOPNCOPY")
            .destination(unknown, "SessionLost", "It was last seen in RESUME. Reset it")
            .says(ConditionType.SUCCEEDED, no, "SessionLost", "STOPNCOPY"),
        ending(
                "succeeded",
                Phase.SUCCEEDED,
                scene ->
                    committed(scene)
                        .source(seen(SessionState.SOURCE_COMPLETED, DeviceState.SAVE_COMPLETED)))
            .source(no, "Released", "is released")
            .destination(yes, "Active", "is RUNNING and its workload has it")
            .says(ConditionType.HANDED_OVER, yes, "Committed", "owns the state")
            .says(ConditionType.SUCCEEDED, yes, "Completed", "runs with"),
        ending(
                "succeeded, the source not reset",
                Phase.SUCCEEDED,
                scene ->
                    committed(scene)
                        .source(
                            seen(SessionState.SOURCE_COMPLETED, DeviceState.SAVE_COMPLETED)
                                .setResetFailed(true)
                                .setFailure(failure(Reason.TRANSITION_FAILED, LATER))))
            .source(no, "ResetFailed", "later-2")
            .says(ConditionType.SUCCEEDED, yes, "Completed", "SourceReady says"),
        ending(
                "succeeded, the source's agent gone",
                Phase.SUCCEEDED,
                scene -> committed(scene).sourceAgent(new Side.Absent(MigrationScene.START)))
            .source(unknown, "CleaningUp", "Its agent is waited for")
            .says(ConditionType.SUCCEEDED, yes, "CleaningUp", "still to be released"),
        ending(
                "succeeded, the source's agent forgot it, its device is free",
                Phase.SUCCEEDED,
                scene ->
                    committed(scene)
                        .withoutSource()
                        .listed(Role.SOURCE, device -> device.setState(DeviceState.NONE)))
            .source(no, "Released", "as free, in NONE"),
        ending(
                "succeeded, the source's agent forgot it, its device is left over",
                Phase.SUCCEEDED,
                scene ->
                    committed(scene)
                        .withoutSource()
                        .listed(Role.SOURCE, device -> device.setState(DeviceState.SAVE_COMPLETED)))
            .source(unknown, "SessionLost", "as SAVE_COMPLETED. Check that it is free"),
        ending(
                "committed, the destination stranded",
                Phase.ACTION_REQUIRED,
                scene ->
                    committed(scene)
                        .destination(
                            session(SessionState.DESTINATION_STRANDED)
                                .setFailure(failure(Reason.TRANSITION_FAILED, LATER))))
            .destination(
                no, "Stranded", "holds what it received and is stranded. Succeeded says why")
            .says(ConditionType.SUCCEEDED, unknown, "Stranded", "later-2"),
        ending(
                "committed, the destination's device lost its state",
                Phase.ACTION_REQUIRED,
                scene ->
                    committed(scene)
                        .destination(
                            session(SessionState.DESTINATION_STRANDED)
                                .setFailure(failure(Reason.NOT_LOADED, LATER))))
            .destination(
                no, "Stranded", "lost what it received and is stranded. Succeeded says why")
            .says(ConditionType.SUCCEEDED, unknown, "Stranded", "later-2"),
        ending(
                "committed, the destination's agent forgot it",
                Phase.ACTION_REQUIRED,
                scene ->
                    committed(scene)
                        .withoutDestination()
                        .listed(Role.DESTINATION, device -> device))
            .destination(unknown, "SessionLost", "It was last seen in RESUME_COMPLETED")
            .says(ConditionType.SUCCEEDED, unknown, "SessionLost", "does not report the state"));
  }

  private static void forgotten(MigrationScene scene, DeviceState source, DeviceState destination) {
    scene
        .withoutSource()
        .withoutDestination()
        .listed(Role.SOURCE, device -> device.setState(source))
        .listed(Role.DESTINATION, device -> device.setState(destination));
  }

  private static MigrationScene committed(MigrationScene scene) {
    copying(scene)
        .source(seen(SessionState.SOURCE_AWAITING_DECISION, DeviceState.STOPNCOPY))
        .destination(seen(SessionState.DESTINATION_LOADED, DeviceState.RESUME_COMPLETED))
        .record(
            draft ->
                draft
                    .condition(
                        ConditionType.HANDED_OVER,
                        Condition.Status.TRUE,
                        ConditionReason.COMMITTED,
                        "The destination owns the state.")
                    .commit())
        .decide();
    return scene.destination(seen(SessionState.DESTINATION_ACTIVE, DeviceState.RUNNING));
  }

  private static DeviceMigrationStatus end(Ending ending) {
    MigrationScene scene = new MigrationScene();
    ending.course().accept(scene);
    scene.decide();
    // Once more: nothing is told otherwise the second time.
    scene.decide();
    return scene.status();
  }

  @ParameterizedTest
  @MethodSource("endings")
  void eachConditionSaysWhatWasSeen(Ending ending) {
    DeviceMigrationStatus status = end(ending);
    assertThat(status.phase()).isEqualTo(ending.phase());
    ending
        .said()
        .forEach(
            (type, said) -> {
              Condition condition =
                  status.conditions().stream()
                      .filter(candidate -> candidate.type().equals(type.text()))
                      .findFirst()
                      .orElseThrow();
              assertThat(condition.message()).as(type.text()).contains(said.words());
              assertThat(condition.reason()).as(type.text()).isEqualTo(said.reason());
              assertThat(condition.status()).as(type.text()).isEqualTo(said.status());
            });
  }

  @ParameterizedTest
  @MethodSource("endings")
  void whatAnAgentSaidStandsInOneCondition(Ending ending) {
    for (String words : List.of("cause-1", "later-2")) {
      assertThat(end(ending).conditions())
          .filteredOn(condition -> condition.message().contains(words))
          .hasSizeLessThanOrEqualTo(1);
    }
  }

  /** What a person reads is no machine's own name. */
  @ParameterizedTest
  @MethodSource("endings")
  void noConditionNamesAStateOfASession(Ending ending) {
    assertThat(end(ending).conditions())
        .extracting(Condition::message)
        .allSatisfy(
            message -> assertThat(message).doesNotContainPattern("(SOURCE|DESTINATION)_[A-Z]"));
  }

  @ParameterizedTest
  @MethodSource("endings")
  void nothingOfACopyThatWasGivenUpIsLeft(Ending ending) {
    DeviceMigrationStatus status = end(ending);
    assertThat(status.bytesPerSecond()).isNull();
    assertThat(status.rate()).isNull();
    assertThat(status.estimatedDowntime()).isNull();
    boolean arrived = status.handover() == Handover.COMMITTED;
    if (arrived) {
      assertThat(status.pending().total()).isZero();
      assertThat(status.progressPercent()).isEqualTo(100);
    } else {
      assertThat(status.pending()).isNull();
      assertThat(status.progressPercent()).isNull();
    }
  }

  /** Neither end is touched on the strength of what an agent lists. */
  @Test
  void whatEitherEndHoldsIsRefusedWithoutACommand() {
    for (Role role : List.of(Role.SOURCE, Role.DESTINATION)) {
      MigrationScene scene = new MigrationScene();
      scene.decide();
      scene
          .listed(Role.SOURCE, device -> device.setState(DeviceState.RUNNING))
          .listed(Role.DESTINATION, device -> device.setState(DeviceState.NONE))
          .listed(role, device -> device.setState(DeviceState.RESUME_COMPLETED));
      assertThat(scene.decide().commands()).isEmpty();
      assertThat(scene.reason(ConditionType.VALIDATED)).isEqualTo("DeviceNotReset");
      assertThat(scene.status().touched().destination()).isFalse();
    }
  }

  /** A time out names what each side does in words. */
  @Test
  void aTimeOutSaysWhatEachSideDoesInWords() {
    MigrationScene scene =
        copying(new MigrationScene()).phase(Phase.SWITCHING_OVER).after(Duration.ofHours(1));
    scene
        .source(seen(SessionState.SOURCE_STOPNCOPY, DeviceState.STOPNCOPY))
        .destination(seen(SessionState.DESTINATION_RECEIVING, DeviceState.RESUME))
        .decide();
    assertThat(scene.message(ConditionType.SUCCEEDED))
        .contains("pausing its workload", "receiving")
        .doesNotContainPattern("(SOURCE|DESTINATION)_[A-Z]");
  }
}
