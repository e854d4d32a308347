package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whatever is asked in whatever order, while hops fail: what must never happen never does. */
class FeatureSequencesTest {
  private static final int EIO = 5;

  /**
   * One thing done to the device.
   *
   * @param fails the hop that fails meanwhile, and where it leaves the device; null for none
   */
  record Step(DeviceState target, Hop fails) {}

  record Hop(String from, String to, String leaves) {}

  private static List<String> statesButError() {
    return TransitionTable.STATES.subList(1, TransitionTable.STATES.size());
  }

  private static List<Step> steps(Generator values) {
    return values.list(
        1,
        25,
        () ->
            new Step(
                values.oneOf(DeviceState.values()), values.chance(0.7) ? null : failing(values)));
  }

  private static Hop failing(Generator values) {
    String from = values.oneOf(statesButError());
    String to = values.oneOf(statesButError());
    return new Hop(from, to, values.oneOf("ERROR", from, to));
  }

  private static int driver(Generator values) {
    return values.oneOf(1, 3, 5, 7);
  }

  @Test
  void aSourceKeepsItsStateAndItsFilesAreCounted() {
    Seeds.check(200, values -> keepsItsState(steps(values), driver(values)));
  }

  private static void keepsItsState(List<Step> steps, int flags) throws DeviceException {
    DriverModel model = new DriverModel(flags).holding(STATE);
    FeatureV2 device = DeviceUnderTest.source(model);
    for (Step step : steps) {
      if (step.target() == DeviceState.RESUME) {
        continue;
      }
      take(device, model, step);
      assertThat(model.content()).isEqualTo(STATE);
      assertThat(model.openFiles()).isLessThanOrEqualTo(1);
      consistent(device, model);
    }
    model.healed();
    leadOut(device);
    if (!model.state().equals("ERROR")) {
      device.transition(DeviceState.RUNNING);
      assertThat(model.state()).isEqualTo("RUNNING");
    }
    device.close();
    assertThat(model.openFiles()).isZero();
  }

  @Test
  void aDestinationRunsOnlyWhatItTookInWholeOrWhatAResetLeft() {
    Seeds.check(200, values -> runsOnlyWhatIsWhole(steps(values), driver(values)));
  }

  private static void runsOnlyWhatIsWhole(List<Step> steps, int flags) throws DeviceException {
    DriverModel model = new DriverModel(flags);
    FeatureV2 device = DeviceUnderTest.destination(model);
    for (Step step : steps) {
      DeviceState before = device.state();
      boolean gaveUp =
          before == DeviceState.FAILED && (model.state().equals("RESUMING") || heldForeign(model));
      boolean done = take(device, model, step);
      if (done && step.target() == DeviceState.RESUME) {
        ByteBuffer stream = ByteBuffer.allocateDirect(4 + STATE.length);
        device.writeState(stream.put(DeviceUnderTest.streamOf(STATE)).flip());
      }
      if (gaveUp) {
        assertThat(device.state()).isNotEqualTo(DeviceState.RUNNING);
      }
      assertThat(model.openFiles()).isLessThanOrEqualTo(1);
      consistent(device, model);
    }
    model.healed();
    leadOut(device);
    device.reset();
    assertThat(model.state()).isEqualTo("RUNNING");
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
    device.close();
    assertThat(model.openFiles()).isZero();
  }

  /** Loaded and not made to run. */
  private static boolean heldForeign(DriverModel model) {
    return model.content().length > 0 && model.state().equals("STOP");
  }

  private static boolean take(FeatureV2 device, DriverModel model, Step step) {
    model.healed();
    if (step.fails() != null) {
      model.failHop(step.fails().from(), step.fails().to(), EIO, step.fails().leaves());
    }
    DeviceState before = device.state();
    try {
      device.transition(step.target());
      assertThat(device.state()).isEqualTo(step.target());
      return true;
    } catch (DeviceException refused) {
      assertThat(device.state()).isIn(before, DeviceState.FAILED);
      return false;
    }
  }

  private static void leadOut(FeatureV2 device) throws DeviceException {
    if (device.state() != DeviceState.RUNNING) {
      device.transition(DeviceState.FAILED);
    }
  }

  /** Where the last change succeeded, the device is where its state says. */
  private static void consistent(FeatureV2 device, DriverModel model) {
    DeviceState state = device.state();
    if (model.state().equals("ERROR")) {
      // It may be noticed with the next change only.
      return;
    }
    if (state == DeviceState.SETUP) {
      assertThat(model.state()).isNotIn("RESUMING");
    }
    if (state == DeviceState.SAVE_COMPLETED) {
      assertThat(model.state()).isIn("STOP", "RUNNING_P2P");
    }
    if (state == DeviceState.RESUME) {
      assertThat(model.state()).isIn("RESUMING", "STOP");
    }
    if (model.state().equals("RESUMING")) {
      assertThat(state)
          .isIn(DeviceState.RESUME, DeviceState.FAILED, DeviceState.NONE, DeviceState.RUNNING);
    }
  }
}
