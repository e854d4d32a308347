package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.DRIVER;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.PAGE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.source;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a device is found to be, and in which state, before anything is done to it. */
class FeatureOpeningTest {
  private static DeviceState opened(String in, MigrationEnd end, boolean adopted)
      throws DeviceException {
    DriverModel model = DriverModel.ofAll().in(in);
    FeatureV2 device = FeatureV2.open(ID, model, DRIVER, PAGE, end, adopted);
    assertThat(model.trace()).as("opening changes nothing").isEmpty();
    assertThat(device.stateKnown()).isTrue();
    return device.state();
  }

  @Test
  void aDeviceIsDescribedByItsFlags() throws DeviceException {
    DeviceLook look = FeatureV2.look(ID, DriverModel.ofAll(), DRIVER, PAGE);
    assertThat(look.state()).isEqualTo(DeviceState.RUNNING);
    assertThat(look.description())
        .isEqualTo(
            new DeviceDescription(
                ID,
                MigrationInterface.FEATURE_V2,
                "unknown",
                0,
                true,
                true,
                PAGE,
                new DriverProfile("mtty", "mtty-1", Set.of(MigrationFlag.values()), "")));
  }

  @Test
  void whatADriverLacksIsNotPromised() throws DeviceException {
    DriverModel model = new DriverModel(DriverModel.STOP_COPY_FLAG).refusing(6, DriverModel.ENOTTY);
    DeviceDescription description = FeatureV2.look(ID, model, DRIVER, PAGE).description();
    assertThat(description.precopy()).isFalse();
    assertThat(description.dirtyPageTracking()).isFalse();
    assertThat(description.driver().flags()).containsExactly(MigrationFlag.STOP_COPY);
  }

  @Test
  void whatStoppedMeansIsSettledByTheEnd() throws DeviceException {
    for (String in : new String[] {"STOP", "RUNNING_P2P"}) {
      DeviceState halfway = in.equals("STOP") ? DeviceState.STOPNCOPY : DeviceState.SETUP;
      assertThat(opened(in, MigrationEnd.SOURCE, true)).isEqualTo(halfway);
      assertThat(opened(in, MigrationEnd.SOURCE, false)).isEqualTo(halfway);
      for (boolean adopted : new boolean[] {true, false}) {
        assertThat(opened(in, MigrationEnd.DESTINATION, adopted))
            .as("also where nobody held it: a reset would have made it run")
            .isEqualTo(DeviceState.RESUME_COMPLETED);
      }
      assertThat(FeatureV2.look(ID, DriverModel.ofAll().in(in), DRIVER, PAGE).state()).isNull();
      assertThat(FeatureV2.look(ID, DriverModel.ofAll().in(in), DRIVER, PAGE).stopped()).isTrue();
    }
    assertThat(FeatureV2.look(ID, DriverModel.ofAll(), DRIVER, PAGE).stopped()).isFalse();
  }

  @Test
  void aResetThatKeepsTheStateIsSeenAtEitherEnd() throws DeviceException {
    for (MigrationEnd end : MigrationEnd.values()) {
      DriverModel keeping = DriverModel.ofAll().holding(STATE).in("STOP").keepingStateAtReset();
      FeatureV2 device = FeatureV2.open(ID, keeping, DRIVER, PAGE, end, false);
      device.reset();
      assertThat(device.state().leftOver()).isTrue();
      FeatureV2 other =
          FeatureV2.open(
              ID, DriverModel.ofAll().holding(STATE).in("STOP"), DRIVER, PAGE, end, false);
      other.reset();
      assertThat(other.state()).isEqualTo(DeviceState.RUNNING);
    }
  }

  @Test
  void everyOtherStateMeansTheSameEverywhere() throws DeviceException {
    Map<String, DeviceState> meanings = new HashMap<>();
    meanings.put("ERROR", DeviceState.FAILED);
    meanings.put("RUNNING", DeviceState.RUNNING);
    meanings.put("PRE_COPY", DeviceState.PRECOPY);
    meanings.put("PRE_COPY_P2P", DeviceState.PRECOPY);
    meanings.put("STOP_COPY", DeviceState.STOPNCOPY);
    meanings.put("RESUMING", DeviceState.RESUME);
    for (Map.Entry<String, DeviceState> meaning : meanings.entrySet()) {
      for (MigrationEnd end : MigrationEnd.values()) {
        assertThat(opened(meaning.getKey(), end, true)).isEqualTo(meaning.getValue());
        assertThat(opened(meaning.getKey(), end, false)).isEqualTo(meaning.getValue());
      }
      assertThat(FeatureV2.look(ID, DriverModel.ofAll().in(meaning.getKey()), DRIVER, PAGE).state())
          .isEqualTo(meaning.getValue());
    }
  }

  @Test
  void aSourceThatAnotherAgentLeftIsLedBackOrCompleted() throws DeviceException {
    for (String in :
        new String[] {"RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P", "STOP_COPY", "STOP"}) {
      DriverModel model = DriverModel.ofAll().holding(STATE).in(in);
      FeatureV2 device = source(model);
      lead(device, DeviceState.FAILED, DeviceState.RUNNING);
      assertThat(model.state()).isEqualTo("RUNNING");
      assertThat(model.content()).isEqualTo(STATE);
    }
    for (String in : new String[] {"STOP_COPY", "STOP"}) {
      DriverModel model = DriverModel.ofAll().holding(STATE).in(in);
      lead(source(model), DeviceState.SAVE_COMPLETED);
      assertThat(model.state()).isEqualTo("STOP");
    }
  }

  @Test
  void theStreamOfAnotherAgentCannotBeContinued() throws DeviceException {
    DriverModel model = DriverModel.ofAll().holding(STATE).in("PRE_COPY");
    FeatureV2 device = source(model);
    assertThat(failureOf(() -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContaining("cannot be continued");
    assertThat(model.trace()).isEmpty();
    FeatureV2 stopped = source(DriverModel.ofAll().in("STOP_COPY"));
    failureOf(Kind.READ_FAILED, () -> stopped.readState(ByteBuffer.allocateDirect(8)));
    assertThat(stopped.pending(0).total()).as("it is not dry").isPositive();
  }

  @Test
  void aDriverWithoutTheInterfaceIsNamedAndClosed() {
    for (int errno : new int[] {DriverModel.ENOTTY, DriverModel.EINVAL}) {
      DriverModel model = DriverModel.ofAll().refusing(1, errno);
      DriverProfile plain = new DriverProfile("vfio-pci", "", Set.of(), "");
      DeviceException failure =
          failureOf(
              Kind.NOT_MIGRATABLE,
              () -> FeatureV2.open(ID, model, plain, PAGE, MigrationEnd.SOURCE, true));
      assertThat(failure.errno()).isEqualTo(errno);
      assertThat(failure).hasMessageContainingAll("its driver vfio-pci", "Nothing was done");
      assertThat(model.closed()).isTrue();
    }
  }

  @Test
  void lookingDoesNotClose() {
    DriverModel model = DriverModel.ofAll().refusing(1, DriverModel.ENOTTY);
    failureOf(() -> FeatureV2.look(ID, model, DRIVER, PAGE));
    assertThat(model.closed()).isFalse();
  }

  @Test
  void aDriverWithoutStopCopyCannotMigrate() {
    DriverModel model = new DriverModel(DriverModel.P2P_FLAG);
    assertThat(failureOf(Kind.NOT_MIGRATABLE, () -> FeatureV2.look(ID, model, DRIVER, PAGE)))
        .hasMessageContainingAll("STOP_COPY", "0x2");
  }

  @Test
  void aStateThatIsNotKnownHereIsAViolation() {
    DriverModel model = DriverModel.ofAll().answeringState(8);
    assertThat(
            failureOf(
                Kind.PROTOCOL_VIOLATION,
                () -> FeatureV2.open(ID, model, DRIVER, PAGE, MigrationEnd.SOURCE, true)))
        .hasMessageContaining("state 8");
    assertThat(model.closed()).isTrue();
  }

  @Test
  void aDeviceThatWasRemovedIsUnreachable() {
    DriverModel model = DriverModel.ofAll().lost(Reason.UNREACHABLE, DriverModel.ENODEV);
    DeviceException failure =
        failureOf(Kind.UNREACHABLE, () -> FeatureV2.look(ID, model, DRIVER, PAGE));
    assertThat(failure.errno()).isEqualTo(DriverModel.ENODEV);
  }
}
