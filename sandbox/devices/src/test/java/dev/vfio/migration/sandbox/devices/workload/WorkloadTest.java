package dev.vfio.migration.sandbox.devices.workload;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.FAILED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RUNNING;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SAVE_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.vfio.migration.sandbox.devices.device.ModelFixture;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkloadTest {
  private static final long TIMEOUT = 60_000_000_000L;
  private static final int EBUSY = 16;
  private static final int EINVAL = 22;

  private final ModelFixture fixture = ModelFixture.small();
  private final SimulatedWorkload workload =
      new SimulatedWorkload(
          fixture.device, new Auditor(fixture.log.log()), fixture.log.log(), 100_000 /* ns */);

  @AfterEach
  void end() {
    workload.close();
  }

  @Test
  void pauseReturnsOnlyWhenNoStepFollows() throws RefusalException {
    running();
    for (int round = 0; round < 50; round++) {
      awaitSteps(2);
      workload.pause(key("uid/1"));
      long step = fixture.device.stepNumber();
      fixture.device.status();
      Thread.yield();
      assertThat(fixture.device.stepNumber()).isEqualTo(step);
      workload.resume(key("uid/1"));
    }
    assertThat(fixture.log.events("workload")).hasSize(101);
  }

  @Test
  void pauseAndResumeAreIdempotent() throws RefusalException {
    running();
    workload.pause(key("uid/1"));
    workload.pause(key("uid/1"));
    assertThat(workload.state()).isEqualTo(WorkloadState.PAUSED);
    workload.resume(key("uid/1"));
    workload.resume(key("uid/1"));
    assertThat(workload.state()).isEqualTo(WorkloadState.RUNNING);
    assertThat(fixture.log.events("workload"))
        .extracting("to")
        .containsExactly("running", "paused", "running");
  }

  @Test
  void whatOneMigrationPausedNoOtherResumesPausesOrReleases() throws RefusalException {
    running();
    workload.pause(key("uid/1"));
    refused(EBUSY, () -> workload.resume(key("other/1")));
    refused(EBUSY, () -> workload.pause(key("other/1")));
    refused(EBUSY, () -> workload.release(key("other/1")));
    assertThat(workload.state()).isEqualTo(WorkloadState.PAUSED);
  }

  @Test
  void aLaterAttemptTakesOverAndTheEarlierOneIsTooLate() throws RefusalException {
    running();
    workload.pause(key("uid/1"));
    workload.pause(key("uid/2"));
    refused(EBUSY, () -> workload.resume(key("uid/1")));
    workload.resume(key("uid/3"));
  }

  @Test
  void resumeWaitsForTheDevice() throws RefusalException {
    running();
    workload.pause(key("uid/1"));
    fixture.to(SETUP, STOPNCOPY);
    refused(EBUSY, () -> workload.resume(key("uid/1")));
    fixture.to(FAILED, RUNNING);
    workload.resume(key("uid/1"));
    awaitSteps(3);
  }

  @Test
  void anUnpausedWorkloadBlocksOnAStoppedDeviceAndGoesOnWithIt() throws RefusalException {
    running();
    awaitSteps(3);
    fixture.to(SETUP, STOPNCOPY);
    workload.deviceChanged();
    long deadline = System.nanoTime() + TIMEOUT;
    while (fixture.log.events("violation").isEmpty() && System.nanoTime() < deadline) {
      Thread.onSpinWait();
    }
    assertThat(fixture.log.events("violation")).hasSize(1);
    workload.pause(key("uid/1"));
    fixture.to(FAILED, RUNNING);
    workload.deviceChanged();
    workload.resume(key("uid/1"));
    awaitSteps(3);
    assertThat(fixture.device.audit().complete().ok()).isTrue();
  }

  @Test
  void releaseFollowsSaveCompletedAndIsForGood() throws RefusalException {
    running();
    refused(EINVAL, () -> workload.release(key("uid/1")));
    workload.pause(key("uid/1"));
    refused(EBUSY, () -> workload.release(key("uid/1")));
    fixture.save();
    fixture.to(SAVE_COMPLETED);
    workload.release(key("uid/1"));
    workload.release(key("uid/1"));
    refused(EBUSY, () -> workload.release(key("other/1")));
    refused(EINVAL, () -> workload.resume(key("uid/1")));
    refused(EINVAL, () -> workload.pause(key("uid/1")));
    refused(EINVAL, () -> workload.take(key("uid/1")));
    assertThat(workload.holdsDevice()).isFalse();
    workload.deviceReset();
    assertThat(workload.state()).isEqualTo(WorkloadState.WAITING);
  }

  @Test
  void takeNeedsARunningDeviceWithAStateAndIsIdempotent() throws RefusalException {
    fixture.device.attach(workload);
    workload.start(WorkloadState.WAITING);
    refused(EINVAL, () -> workload.pause(key("uid/1")));
    refused(EINVAL, () -> workload.resume(key("uid/1")));
    refused(EBUSY, () -> workload.take(key("uid/1")));
    fixture.to(RESUME);
    fixture.loadAll(ModelFixture.running().save());
    fixture.to(RESUME_COMPLETED);
    refused(EBUSY, () -> workload.take(key("uid/1")));
    fixture.to(RUNNING);
    workload.take(key("uid/1"));
    workload.take(key("uid/1"));
    refused(EBUSY, () -> workload.take(key("other/1")));
    awaitSteps(3);
    long deadline = System.nanoTime() + TIMEOUT;
    while (fixture.log.events("continuity").isEmpty() && System.nanoTime() < deadline) {
      Thread.onSpinWait();
    }
    assertThat(fixture.log.events("continuity"))
        .singleElement()
        .satisfies(
            event ->
                assertThat(event)
                    .containsEntry("result", "ok")
                    .containsEntry("cause", "take")
                    .containsEntry("steps", 50));
  }

  @Test
  void theDeviceCannotBeResetUnderItsWorkload() throws RefusalException {
    fixture.device.attach(workload);
    running();
    refused(EBUSY, fixture.device::reset);
    workload.pause(key("uid/1"));
    refused(EBUSY, fixture.device::reset);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uid", "/1", "uid/", "uid/x", "uid/-1", "a b/1", "u/1/2"})
  void aMigrationIsNamedByUidAndAttempt(String text) {
    refused(EINVAL, () -> MigrationKey.parse(text));
  }

  private void running() {
    fixture.device.powerOn();
    workload.start(WorkloadState.RUNNING);
  }

  private void awaitSteps(int count) {
    long goal = fixture.device.stepNumber() + count;
    long deadline = System.nanoTime() + TIMEOUT;
    while (fixture.device.stepNumber() < goal) {
      assertThat(System.nanoTime()).as("the workload steps").isLessThan(deadline);
      Thread.yield();
    }
  }

  private static MigrationKey key(String text) throws RefusalException {
    return MigrationKey.parse(text);
  }

  private static void refused(int errno, ThrowingCallable call) {
    assertThatExceptionOfType(RefusalException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
