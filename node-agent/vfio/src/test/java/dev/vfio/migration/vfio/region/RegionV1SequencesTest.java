package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whatever is asked in whatever order, while changes fail: what must never happen never does. */
class RegionV1SequencesTest {
  private static final byte[] STATE = {9, 8, 7, 6, 5};
  private static final int RESERVED = 0x7fff_fff8;

  /**
   * One thing done to the device.
   *
   * @param failing value of the three bits whose writing fails meanwhile, -1 for none
   * @param leavesError whether the failure leaves the device in its error state
   */
  record Step(DeviceState target, int failing, boolean leavesError) {}

  private static List<Step> steps(Generator values) {
    return values.list(
        1,
        25,
        () ->
            new Step(
                values.oneOf(DeviceState.values()),
                values.oneOf(-1, -1, -1, -1, -1, 0, 1, 2, 3, 4),
                values.oneOf(false, false, true)));
  }

  private static RegionV1 open(RegionV1Model model, MigrationEnd end) throws DeviceException {
    return RegionV1.open("gpu-0", model, DriverProfile.NONE, 4096, end, end == MigrationEnd.SOURCE);
  }

  private static void take(RegionV1 device, RegionV1Model model, Step step) {
    model.failing(
        step.failing() < 0 ? "" : "write 0/4=" + step.failing(),
        step.leavesError() ? RESERVED | 6 : -1);
    DeviceState before = device.state();
    try {
      device.transition(step.target());
      assertThat(device.state()).isEqualTo(step.target());
    } catch (DeviceException refused) {
      assertThat(device.state()).isIn(before, DeviceState.FAILED);
    }
    model.failing("", -1);
  }

  @Test
  void aSourceKeepsItsStateAndLeadsBackToRunning() {
    Seeds.check(300, values -> leadsBackToRunning(steps(values)));
  }

  private static void leadsBackToRunning(List<Step> steps) throws DeviceException {
    RegionV1Model model = new RegionV1Model(4096, 64).holding(STATE).in(RESERVED | 1);
    RegionV1 device = open(model, MigrationEnd.SOURCE);
    for (Step step : steps) {
      if (step.target() != DeviceState.RESUME) {
        take(device, model, step);
      }
      assertThat(model.content()).isEqualTo(STATE);
      assertThat(model.register() & RESERVED).as("bits 3 to 31").isEqualTo(RESERVED);
      if (device.state() == DeviceState.PRECOPY || device.state() == DeviceState.SETUP) {
        assertThat(model.register() & 7).isIn(1, 3, 6);
      }
    }
    boolean inError = (model.register() & 7) == 6;
    if (device.state() != DeviceState.RUNNING) {
      device.transition(DeviceState.FAILED);
      if (!inError) {
        device.transition(DeviceState.RUNNING);
      }
    }
    assertThat(model.register() & 7).isEqualTo(inError ? 6 : 1);
  }

  @Test
  void aDestinationThatGaveUpNeverRunsWithoutAReset() {
    Seeds.check(300, values -> runsOnlyAfterAReset(steps(values)));
  }

  private static void runsOnlyAfterAReset(List<Step> steps) throws DeviceException {
    RegionV1Model model = new RegionV1Model(4096, 64);
    RegionV1 device = open(model, MigrationEnd.DESTINATION);
    boolean takenIn = false;
    for (Step step : steps) {
      DeviceState before = device.state();
      take(device, model, step);
      if (before != DeviceState.RESUME && device.state() == DeviceState.RESUME) {
        device.writeState(ByteBuffer.allocateDirect(STATE.length).put(STATE).flip());
        takenIn = true;
      }
      if (takenIn && before == DeviceState.FAILED) {
        assertThat(device.state()).isNotEqualTo(DeviceState.RUNNING);
        assertThat(model.register() & 7).isNotEqualTo(1);
      }
      if (device.state() == DeviceState.RUNNING) {
        takenIn = false;
      }
    }
    device.reset();
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }
}
