package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.device.DeviceSteps.read;
import static dev.vfio.migration.vfio.device.DeviceSteps.write;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.DRIVER;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.PAGE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.destination;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.loaded;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.source;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.streamOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a driver answers is looked at before anybody relies on it. */
class FeatureReadBackTest {
  private static void isElsewhere(DeviceException failure, String wanted, String now) {
    assertThat(failure.kind()).isEqualTo(Kind.TRANSITION_FAILED);
    assertThat(failure)
        .hasMessageContainingAll(
            "the change to " + wanted + " with success", "says that it is in " + now);
  }

  @Test
  void aDriverThatReportsNoStateBeforeAnybodyAskedForOneRuns() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().holding(STATE).reportingNoStateAtRest();
    assertThat(FeatureV2.look(ID, driver, DRIVER, PAGE).state()).isEqualTo(DeviceState.RUNNING);
    for (MigrationEnd end : MigrationEnd.values()) {
      assertThat(FeatureV2.open(ID, driver, DRIVER, PAGE, end, false).state())
          .isEqualTo(DeviceState.RUNNING);
    }
    FeatureV2 device = source(driver);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.STOPNCOPY);
    ByteArrayOutputStream taken = new ByteArrayOutputStream();
    read(device, taken);

    FeatureV2 other = destination(DriverModel.ofAll().reportingNoStateAtRest());
    lead(other, DeviceState.RESUME);
    write(other, taken.toByteArray());
    lead(other, DeviceState.RESUME_COMPLETED);
    lead(device, DeviceState.SAVE_COMPLETED);
    lead(other, DeviceState.RUNNING);
  }

  @Test
  void aDriverThatTakesEveryChangeAndNeverMovesNeverLeftRunning() throws DeviceException {
    DriverModel driver =
        DriverModel.ofAll()
            .holding(STATE)
            .reportingNoStateAtRest()
            .ignoringHop("RUNNING", "PRE_COPY")
            .ignoringHop("RUNNING", "RUNNING_P2P");
    FeatureV2 device = source(driver);
    lead(device, DeviceState.SETUP);
    isElsewhere(failureOf(() -> device.transition(DeviceState.PRECOPY)), "PRE_COPY", "RUNNING");
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    FeatureV2 other = destination(driver);
    isElsewhere(failureOf(() -> other.transition(DeviceState.RESUME)), "RESUMING", "RUNNING");
  }

  @Test
  void theDataFileOfADeviceThatStoppedByItselfIsClosed() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().holding(STATE);
    FeatureV2 device = source(driver);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.STOPNCOPY);
    assertThat(driver.openFiles()).isEqualTo(1);
    driver.in("STOP");
    lead(device, DeviceState.SAVE_COMPLETED);
    assertThat(driver.openFiles()).isZero();
  }

  @Test
  void aResetDriverThatReportsNoStateAgainLostWhatItTookIn() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().reportingNoStateAtRest();
    FeatureV2 device = loaded(driver);
    driver.resetByTheWorkload();
    failureOf(Kind.STATE_LOST, device::requireLoaded);
    device.reset();
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aDriverThatHasReportedItsStateIsNotTakenForRunningOnceItRefuses() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().holding(STATE);
    FeatureV2 device = source(driver);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY, DeviceState.FAILED);
    driver.refusing(2, DriverModel.EINVAL);
    assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)).errno())
        .isEqualTo(DriverModel.EINVAL);
    assertThat(device.state()).isEqualTo(DeviceState.FAILED);
  }

  @Test
  void aDeviceThatWasTakenForLoadedAndIsStillResumingIsNot() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().ignoringHop("RESUMING", "STOP");
    FeatureV2 device = destination(driver);
    lead(device, DeviceState.RESUME);
    write(device, streamOf(STATE));
    DeviceException failure = failureOf(() -> device.transition(DeviceState.RESUME_COMPLETED));
    isElsewhere(failure, "STOP", "RESUMING");
    assertThat(failure).hasMessageContaining("did not reach RESUME_COMPLETED");
    assertThat(device.state()).isEqualTo(DeviceState.RESUME);
    driver.healed();
    lead(device, DeviceState.RESUME_COMPLETED, DeviceState.RUNNING);
    assertThat(driver.content()).isEqualTo(STATE);
  }

  @Test
  void aDeviceThatWasTakenForRunningAndIsHalfwayIsNot() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().ignoringHop("RUNNING_P2P", "RUNNING");
    FeatureV2 device = loaded(driver);
    isElsewhere(failureOf(() -> device.transition(DeviceState.RUNNING)), "RUNNING", "RUNNING_P2P");
    assertThat(device.state()).isEqualTo(DeviceState.RESUME_COMPLETED);
    driver.healed();
    lead(device, DeviceState.RUNNING);
    assertThat(driver.content()).isEqualTo(STATE);
  }

  @Test
  void aWayBackThatOnlySeemedToEndInRunningHasNotEnded() throws DeviceException {
    for (String stuck : List.of("STOP>RUNNING_P2P", "RUNNING_P2P>RUNNING", "STOP_COPY>STOP")) {
      String[] arc = stuck.split(">");
      DriverModel driver = DriverModel.ofAll().holding(STATE).ignoringHop(arc[0], arc[1]);
      FeatureV2 device = source(driver);
      lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY, DeviceState.CANCELLED);
      isElsewhere(failureOf(() -> device.transition(DeviceState.RUNNING)), "RUNNING", arc[0]);
      assertThat(device.state()).isEqualTo(DeviceState.CANCELLED);
      driver.healed();
      lead(device, DeviceState.RUNNING);
      assertThat(driver.state()).isEqualTo("RUNNING");
    }
  }

  @Test
  void aStopThatDidNotHappenIsNoStop() throws DeviceException {
    for (String stuck : List.of("PRE_COPY>PRE_COPY_P2P", "PRE_COPY_P2P>STOP_COPY")) {
      String[] arc = stuck.split(">");
      DriverModel driver = DriverModel.ofAll().holding(STATE).ignoringHop(arc[0], arc[1]);
      FeatureV2 device = source(driver);
      lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
      isElsewhere(failureOf(() -> device.transition(DeviceState.STOPNCOPY)), "STOP_COPY", arc[0]);
      lead(device, DeviceState.FAILED, DeviceState.RUNNING);
      assertThat(driver.openFiles()).isZero();
    }
    DriverModel driver = DriverModel.ofAll().holding(STATE).ignoringHop("STOP_COPY", "STOP");
    FeatureV2 device = source(driver);
    lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
    isElsewhere(
        failureOf(() -> device.transition(DeviceState.SAVE_COMPLETED)), "STOP", "STOP_COPY");
  }

  @Test
  void aStateThatIsNotKnownHereIsNotTheOneThatWasAskedFor() throws DeviceException {
    DriverModel driver = DriverModel.ofAll().holding(STATE);
    FeatureV2 device = source(driver);
    lead(device, DeviceState.SETUP);
    driver.failHop("RUNNING", "PRE_COPY", DriverModel.EINVAL, "RUNNING");
    failureOf(() -> device.transition(DeviceState.PRECOPY));
    driver.healed();
    driver.answeringState(null);
    lead(device, DeviceState.PRECOPY);
    driver.answeringState(8);
    assertThat(failureOf(() -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContaining("the migration state 8");
  }

  @Test
  void aDeviceThatSaysItRunsWhileItIsRestoredIsNotLoaded() throws DeviceException {
    DriverModel driver = DriverModel.ofAll();
    FeatureV2 device = destination(driver);
    lead(device, DeviceState.RESUME);
    write(device, streamOf(STATE));
    driver.answeringState(TransitionTable.STATES.indexOf("RUNNING"));
    assertThat(failureOf(() -> device.transition(DeviceState.RESUME_COMPLETED)))
        .hasMessageContaining("is in RUNNING");
    assertThat(device.state()).isEqualTo(DeviceState.RESUME);
  }

  @Test
  void flagsThatAreNotKnownHereDoNotMatter() throws DeviceException {
    DriverModel driver = new DriverModel(DriverModel.STOP_COPY_FLAG | 1 << 7 | 1 << 30);
    assertThat(FeatureV2.look(ID, driver, DRIVER, PAGE).description().driver().flags()).hasSize(1);
    failureOf(Kind.NOT_MIGRATABLE, () -> FeatureV2.look(ID, new DriverModel(0), DRIVER, PAGE));
  }

  @Test
  void precopyFiguresThatAreRefusedOnlyMeanThatNothingIsKnown() throws DeviceException {
    for (int errno : new int[] {DriverModel.EINVAL, DriverModel.ENOTTY, 5}) {
      DriverModel driver = DriverModel.ofAll().holding(STATE).refusingPrecopyInfo(errno);
      FeatureV2 device = source(driver);
      lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
      assertThat(device.pending(0).total()).isEqualTo(4 + STATE.length);
      ByteArrayOutputStream taken = new ByteArrayOutputStream();
      read(device, taken);
      lead(device, DeviceState.STOPNCOPY);
      read(device, taken);
      assertThat(taken.toByteArray()).isEqualTo(streamOf(STATE));
      assertThat(device.pending(0).total()).isZero();
    }
  }

  @Test
  void aSizeOfNothingEndsNoStreamAndAnAbsurdOneIsTheMost() throws DeviceException {
    for (long reported : new long[] {0, 1, 3, Long.MIN_VALUE, -1}) {
      DriverModel driver = DriverModel.ofAll().holding(STATE).maxPerRead(7).reportingSize(reported);
      FeatureV2 device = source(driver);
      lead(device, DeviceState.SETUP, DeviceState.STOPNCOPY);
      ByteArrayOutputStream taken = new ByteArrayOutputStream();
      assertThat(device.pending(0).total()).isPositive();
      while (device.pending(0).total() > 0) {
        ByteBuffer chunk = ByteBuffer.allocateDirect(64);
        device.readState(chunk);
        chunk.flip();
        while (chunk.hasRemaining()) {
          taken.write(chunk.get());
        }
      }
      assertThat(taken.toByteArray()).as("reported %d", reported).isEqualTo(streamOf(STATE));
    }
  }
}
