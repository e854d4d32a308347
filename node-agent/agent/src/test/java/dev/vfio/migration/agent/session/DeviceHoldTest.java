package dev.vfio.migration.agent.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A workload runs once it says so itself. */
class DeviceHoldTest {
  private final List<String> asked = new ArrayList<>();
  private WorkloadState state = WorkloadState.RUNNING;
  private boolean refusesRelease;
  private final DeviceHold hold =
      new DeviceHold("vfio-user:gpu-0", MigrationEnd.SOURCE, "move/1", null, device -> new Asked());

  @Test
  void aWorkloadThatRunsIsResumed() throws Exception {
    hold.resumeWorkload("move/1");
    hold.letWorkloadTake("move/1");
    assertThat(asked).containsExactly("resume", "describe", "take", "describe");
  }

  @Test
  void aWorkloadThatAnswersAndStandsStillIsNotResumed() {
    state = WorkloadState.PAUSED;
    assertThatThrownBy(() -> hold.resumeWorkload("move/1")).hasMessageContaining("it is PAUSED");
  }

  @Test
  void aWorkloadThatAnswersAndWaitsOnHasNotTaken() {
    state = WorkloadState.WAITING;
    assertThatThrownBy(() -> hold.letWorkloadTake("move/1")).hasMessageContaining("it is WAITING");
  }

  /** It released its device before a crash of this agent, and the device was reset since. */
  @Test
  void aWorkloadThatWaitsForADeviceNeedNotLetGoOfOne() throws Exception {
    refusesRelease = true;
    state = WorkloadState.WAITING;
    hold.releaseWorkload("move/1");
    state = WorkloadState.RUNNING;
    assertThatThrownBy(() -> hold.releaseWorkload("move/1")).hasMessageContaining("not now");
  }

  @Test
  void aServedDeviceIsHeldByAWorkloadThatRunsOrIsPausedAndByNoOther() throws Exception {
    for (WorkloadState each : WorkloadState.values()) {
      state = each;
      assertThat(hold.heldByOthers())
          .isEqualTo(each == WorkloadState.RUNNING || each == WorkloadState.PAUSED);
    }
    DeviceHold ended =
        new DeviceHold(
            "vfio-user:gpu-0",
            MigrationEnd.SOURCE,
            "move/1",
            null,
            device -> {
              throw new WorkloadException(2, "no such socket", null);
            });
    assertThat(ended.heldByOthers()).as("one that has ended holds nothing").isFalse();
  }

  private final class Asked implements Workload {
    @Override
    public WorkloadDescription describe() {
      asked.add("describe");
      return new WorkloadDescription("counter", state, "gpu-0", List.of());
    }

    @Override
    public void pause(String migration) {
      asked.add("pause");
    }

    @Override
    public void resume(String migration) {
      asked.add("resume");
    }

    @Override
    public void take(String migration) {
      asked.add("take");
    }

    @Override
    public void release(String migration) throws WorkloadException {
      if (refusesRelease) {
        throw new WorkloadException(22, "not now", null);
      }
      asked.add("release");
    }

    @Override
    public void close() {
      // Nothing is open.
    }
  }
}
