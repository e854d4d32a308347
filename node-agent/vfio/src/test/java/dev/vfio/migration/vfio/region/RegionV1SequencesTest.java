package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.nio.ByteBuffer;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

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

  @Provide
  Arbitrary<List<Step>> steps() {
    return Combinators.combine(
            Arbitraries.of(DeviceState.values()),
            Arbitraries.of(-1, -1, -1, -1, -1, 0, 1, 2, 3, 4),
            Arbitraries.of(false, false, true))
        .as(Step::new)
        .list()
        .ofMinSize(1)
        .ofMaxSize(25);
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

  @Property(tries = 300)
  void aSourceKeepsItsStateAndLeadsBackToRunning(@ForAll("steps") List<Step> steps)
      throws DeviceException {
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

  @Property(tries = 300)
  void aDestinationThatGaveUpNeverRunsWithoutAReset(@ForAll("steps") List<Step> steps)
      throws DeviceException {
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
