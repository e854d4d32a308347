package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import java.nio.ByteBuffer;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

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
    return DriverModel.STATES.subList(1, DriverModel.STATES.size());
  }

  @Provide
  Arbitrary<List<Step>> steps() {
    Arbitrary<String> state = Arbitraries.of(statesButError());
    Arbitrary<Hop> hop =
        Combinators.combine(state, state, Arbitraries.integers().between(0, 2))
            .as((from, to, left) -> new Hop(from, to, left == 0 ? "ERROR" : left == 1 ? from : to));
    return Combinators.combine(Arbitraries.of(DeviceState.values()), hop.injectNull(0.7))
        .as(Step::new)
        .list()
        .ofMinSize(1)
        .ofMaxSize(25);
  }

  @Provide
  Arbitrary<Integer> drivers() {
    return Arbitraries.of(1, 3, 5, 7);
  }

  @Property(tries = 200)
  void aSourceKeepsItsStateAndItsFilesAreCounted(
      @ForAll("steps") List<Step> steps, @ForAll("drivers") int flags) throws DeviceException {
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

  @Property(tries = 200)
  void aDestinationRunsOnlyWhatItTookInWholeOrWhatAResetLeft(
      @ForAll("steps") List<Step> steps, @ForAll("drivers") int flags) throws DeviceException {
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
