package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.device.DeviceSteps.write;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.destination;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.loaded;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.source;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.streamOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Changes of state that fail, and the ways back from every place they leave a device in. */
class FeatureTransitionsTest {
  private static final int EIO = 5;

  private final DriverModel model = DriverModel.ofAll().holding(STATE);

  @Test
  void askingForTheStateItIsInDoesNothing() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.RUNNING, DeviceState.RUNNING);
    assertThat(model.trace()).isEmpty();
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.trace();
    lead(device, DeviceState.PRECOPY);
    assertThat(model.trace()).isEmpty();
  }

  @Test
  void whatTheInterfaceOf2018DoesNotAllowNeverReachesTheDevice() throws DeviceException {
    FeatureV2 device = source(model);
    assertThat(
            failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.SAVE_COMPLETED)))
        .hasMessageContaining("only to [SETUP, RESUME, FAILED]");
    assertThat(model.trace()).isEmpty();
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aHopThatFailsIsNamedWithTheStateItLeft() throws DeviceException {
    FeatureV2 device = source(model.failHop("RUNNING_P2P", "STOP", EIO, "RUNNING_P2P"));
    lead(device, DeviceState.SETUP);
    DeviceException failure =
        failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.STOPNCOPY));
    assertThat(failure.errno()).isEqualTo(EIO);
    assertThat(failure)
        .hasMessageContainingAll(
            "the change to STOPNCOPY failed with EIO (5)",
            "from RUNNING_P2P to STOP",
            "is in RUNNING_P2P now");
    assertThat(device.state()).isEqualTo(DeviceState.SETUP);

    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.state()).isEqualTo("RUNNING");
    assertThat(model.content()).isEqualTo(STATE);
  }

  @Test
  void fromWhereverAFailedStopLeavesItTheSourceRunsAgain() throws DeviceException {
    for (String left : List.of("RUNNING", "RUNNING_P2P", "STOP", "PRE_COPY", "PRE_COPY_P2P")) {
      DriverModel driver =
          DriverModel.ofAll().holding(STATE).failHop("PRE_COPY_P2P", "STOP_COPY", EIO, left);
      FeatureV2 device = source(driver);
      lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
      assertThat(failureOf(() -> device.transition(DeviceState.STOPNCOPY)))
          .hasMessageContaining("in " + left + " now");
      assertThat(device.state()).isEqualTo(DeviceState.PRECOPY);
      lead(device, DeviceState.FAILED, DeviceState.RUNNING);
      assertThat(driver.state()).isEqualTo("RUNNING");
      assertThat(driver.openFiles()).isZero();
    }
  }

  @Test
  void aWayBackThatFailsIsTakenUpWhereItEnded() throws DeviceException {
    FeatureV2 device = source(model.failHop("STOP", "RUNNING_P2P", EIO, "STOP"));
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY, DeviceState.CANCELLED);
    assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
        .hasMessageContaining("in STOP now");
    assertThat(device.state()).isEqualTo(DeviceState.CANCELLED);
    model.healed();
    lead(device, DeviceState.RUNNING);
    assertThat(model.state()).isEqualTo("RUNNING");
  }

  @Test
  void eachPhaseLeadsBackToRunning() throws DeviceException {
    List<List<DeviceState>> ways =
        List.of(
            List.of(DeviceState.SETUP),
            List.of(DeviceState.SETUP, DeviceState.PRECOPY),
            List.of(DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.STOPNCOPY),
            List.of(DeviceState.SETUP, DeviceState.STOPNCOPY));
    for (List<DeviceState> way : ways) {
      for (DeviceState exit : List.of(DeviceState.FAILED, DeviceState.CANCELLED)) {
        DriverModel driver = DriverModel.ofAll().holding(STATE);
        FeatureV2 device = source(driver);
        lead(device, way.toArray(DeviceState[]::new));
        lead(device, exit);
        assertThat(driver.openFiles()).isZero();
        lead(device, DeviceState.RUNNING);
        assertThat(driver.state()).isEqualTo("RUNNING");
        assertThat(driver.content()).isEqualTo(STATE);
        assertThat(driver.resets()).isZero();
      }
    }
  }

  @Test
  void outOfErrorOnlyAResetLeads() throws DeviceException {
    FeatureV2 device = source(model.failHop("STOP", "STOP_COPY", EIO, "ERROR"));
    lead(device, DeviceState.SETUP);
    assertThat(failureOf(() -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContainingAll("(state SETUP)", "ERROR now", "reset");
    assertThat(device.state()).isEqualTo(DeviceState.FAILED);
    lead(device, DeviceState.FAILED);
    assertThat(failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.RUNNING)))
        .hasMessageContainingAll("ERROR", "only a reset");
    device.reset();
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
    assertThat(model.resets()).isEqualTo(1);
  }

  @Test
  void aDestinationThatWasGivenUpNeverRunsWhatItTookIn() throws DeviceException {
    for (boolean whole : List.of(false, true)) {
      DriverModel driver = DriverModel.ofAll();
      FeatureV2 device = destination(driver);
      lead(device, DeviceState.RESUME);
      if (whole) {
        write(device, streamOf(STATE));
        lead(device, DeviceState.RESUME_COMPLETED);
      }
      lead(device, DeviceState.FAILED);
      assertThat(driver.openFiles()).isZero();
      driver.trace();
      assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
          .hasMessageContaining("must not run");
      assertThat(driver.trace()).isEmpty();
      device.reset();
      assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
      assertThat(driver.content()).isEmpty();
    }
  }

  @Test
  void whatIsCutShortIsRefusedAndTheDeviceStaysWhereAResetIsNeeded() throws DeviceException {
    DriverModel driver = DriverModel.ofAll();
    FeatureV2 device = destination(driver);
    lead(device, DeviceState.RESUME);
    write(device, new byte[] {0, 0, 0, 9, 1});
    DeviceException failure = failureOf(() -> device.transition(DeviceState.RESUME_COMPLETED));
    assertThat(failure.errno()).isEqualTo(DriverModel.EINVAL);
    assertThat(failure).hasMessageContainingAll("from RESUMING to STOP", "RESUMING now", "reset");
    assertThat(device.state()).isEqualTo(DeviceState.RESUME);
    lead(device, DeviceState.FAILED);
    device.reset();
    lead(device, DeviceState.RESUME);
    write(device, streamOf(STATE));
    lead(device, DeviceState.RESUME_COMPLETED, DeviceState.RUNNING);
    assertThat(driver.content()).isEqualTo(STATE);
  }

  @Test
  void aLoadedDeviceThatRunsByItselfLostWhatItTookIn() throws DeviceException {
    DriverModel driver = DriverModel.ofAll();
    FeatureV2 device = loaded(driver);
    driver.resetByTheWorkload();
    for (int asked = 1; asked <= 2; asked++) {
      DeviceException failure = failureOf(() -> device.transition(DeviceState.RUNNING));
      assertThat(failure.kind()).as("asked %d times", asked).isEqualTo(Kind.STATE_LOST);
      assertThat(failure).hasMessageContaining("it was reset");
    }
  }

  @Test
  void aLookAtALoadedDeviceSaysWhatBecameOfIt() throws DeviceException {
    DriverModel driver = DriverModel.ofAll();
    FeatureV2 device = loaded(driver);
    driver.trace();
    device.requireLoaded();
    assertThat(driver.trace()).as("nothing is changed").isEmpty();
    driver.answeringState(99);
    failureOf(Kind.STATE_LOST, device::requireLoaded);
    driver.answeringState(null);
    driver.lost(Reason.REFUSED, 16);
    failureOf(Kind.READ_FAILED, device::requireLoaded);
    driver.lost(Reason.UNREACHABLE, 19);
    failureOf(Kind.UNREACHABLE, device::requireLoaded);
  }

  @Test
  void aLookAtALoadedDeviceThatRunsByItselfFindsThatItLostWhatItTookIn() throws DeviceException {
    DriverModel driver = DriverModel.ofAll();
    FeatureV2 device = loaded(driver);
    driver.resetByTheWorkload();
    assertThat(failureOf(Kind.STATE_LOST, device::requireLoaded))
        .hasMessageContaining("it was reset");
  }

  @Test
  void aLoadedDeviceThatStuckHalfwayIsLedOn() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().failHop("RUNNING_P2P", "RUNNING", EIO, "RUNNING_P2P");
    FeatureV2 device = loaded(driver);
    failureOf(() -> device.transition(DeviceState.RUNNING));
    assertThat(device.state()).isEqualTo(DeviceState.RESUME_COMPLETED);
    driver.healed();
    lead(device, DeviceState.RUNNING);
    assertThat(driver.content()).isEqualTo(STATE);
  }

  @Test
  void aResetThatIsRefusedSaysWhoCouldDoIt() throws DeviceException {
    FeatureV2 device = source(model.refusing(-1, 95));
    DeviceException failure = failureOf(device::reset);
    assertThat(failure.errno()).isEqualTo(95);
    assertThat(failure).hasMessageContaining("a person has to reset it");
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aStreamThatBeginsInTheMiddleOfAnotherIsARuleBroken() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.answeringDescriptor(model.spareFile());
    assertThat(failureOf(Kind.PROTOCOL_VIOLATION, () -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContaining("from PRE_COPY to PRE_COPY_P2P");
    assertThat(model.openFiles()).as("the first file only").isEqualTo(1);
    model.answeringDescriptor(null);
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.openFiles()).isZero();
  }

  @Test
  void aStreamThatDoesNotBeginIsARuleBroken() throws DeviceException {
    FeatureV2 device = source(model.answeringDescriptor(-1));
    lead(device, DeviceState.SETUP);
    assertThat(failureOf(Kind.PROTOCOL_VIOLATION, () -> device.transition(DeviceState.PRECOPY)))
        .hasMessageContaining("gave no data file");
    model.answeringDescriptor(null);
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.state()).isEqualTo("RUNNING");
  }

  @Test
  void aDataFileThatNobodyAskedForIsClosedAndTheWayBackGoesOn() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY, DeviceState.FAILED);
    model.answeringDescriptor(model.spareFile());
    lead(device, DeviceState.RUNNING);
    assertThat(model.openFiles()).isZero();
  }

  @Test
  void aStateOfALaterKernelIsNamedByItsNumber() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP);
    model.answeringState(8);
    assertThat(failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.PRECOPY)))
        .hasMessageContaining("state 8");
    assertThat(model.trace()).isEmpty();
  }

  @Test
  void aDeviceThatDoesNotSayWhereItIsIsNotAskedToMove() throws DeviceException {
    FeatureV2 device = source(model);
    lead(device, DeviceState.SETUP);
    model.refusing(2, EIO);
    assertThat(failureOf(() -> device.transition(DeviceState.PRECOPY)))
        .hasMessageContaining("not asked to change");
    model.healed();
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
  }
}
