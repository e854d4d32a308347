package dev.vfio.migration.vfio.region;

import static dev.vfio.migration.vfio.device.DeviceSteps.ID;
import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** The three bits of the v1 state: how they are set, what they mean, and the ways back. */
class RegionV1TransitionsTest {
  private static final DriverProfile DRIVER = new DriverProfile("vmig", "v1", Set.of(), "");
  private static final byte[] STATE = {1, 2, 3, 4};

  private final RegionV1Model model = new RegionV1Model(4096, 64).holding(STATE);

  private static RegionV1 open(RegionV1Model model, MigrationEnd end, boolean adopted)
      throws DeviceException {
    RegionV1 device = RegionV1.open(ID, model, DRIVER, 4096, end, adopted);
    assertThat(model.accesses()).containsExactly("read 0/4");
    return device;
  }

  private static RegionV1 source(RegionV1Model model) throws DeviceException {
    return open(model, MigrationEnd.SOURCE, true);
  }

  @Test
  void aDeviceIsDescribedAndLookedAt() throws DeviceException {
    assertThat(RegionV1.look(ID, model, DRIVER, 4096).description())
        .isEqualTo(
            new DeviceDescription(
                ID, MigrationInterface.REGION_V1, "unknown", 4096, true, false, 4096, DRIVER));
    assertThat(RegionV1.look(ID, model, DRIVER, 4096).state()).isEqualTo(DeviceState.RUNNING);
    assertThat(RegionV1.look(ID, model.in(0), DRIVER, 4096).state()).isNull();
    assertThat(RegionV1.look(ID, model.in(6), DRIVER, 4096).state()).isEqualTo(DeviceState.FAILED);
    assertThat(model.closed()).isFalse();
  }

  @Test
  void whatTheBitsMeanWhenItIsOpened() throws DeviceException {
    DeviceState[] meanings = {
      null,
      DeviceState.RUNNING,
      DeviceState.STOPNCOPY,
      DeviceState.PRECOPY,
      DeviceState.RESUME,
      null,
      DeviceState.FAILED
    };
    for (MigrationEnd end : MigrationEnd.values()) {
      for (boolean adopted : List.of(false, true)) {
        for (int bits : new int[] {1, 2, 3, 4, 6}) {
          RegionV1Model driver = new RegionV1Model(4096, 64).in(0xabcd00 | bits);
          boolean handedOn = bits == 4 && adopted && end == MigrationEnd.DESTINATION;
          assertThat(open(driver, end, adopted).state())
              .isEqualTo(handedOn ? DeviceState.RESUME_COMPLETED : meanings[bits]);
        }
      }
      RegionV1Model stopped = new RegionV1Model(4096, 64).in(0);
      for (boolean adopted : List.of(false, true)) {
        assertThat(open(stopped, end, adopted).state())
            .as("also where nobody held it: a reset would have made it run")
            .isEqualTo(
                end == MigrationEnd.SOURCE ? DeviceState.STOPNCOPY : DeviceState.RESUME_COMPLETED);
      }
      assertThat(look(stopped).stopped()).isTrue();
    }
  }

  private static DeviceLook look(RegionV1Model model) throws DeviceException {
    return RegionV1.look(ID, model, DRIVER, 4096);
  }

  @Test
  void aResetThatKeepsTheStateIsSeenAtEitherEnd() throws DeviceException {
    for (MigrationEnd end : MigrationEnd.values()) {
      RegionV1 device = open(new RegionV1Model(4096, 64).in(0).keepingStateAtReset(), end, false);
      device.reset();
      assertThat(device.state().leftOver()).isTrue();
      RegionV1 other = open(new RegionV1Model(4096, 64).in(0), end, false);
      other.reset();
      assertThat(other.state()).isEqualTo(DeviceState.RUNNING);
    }
  }

  @Test
  void invalidBitsAreAViolationAndCloseTheDevice() {
    for (int bits : new int[] {5, 7}) {
      RegionV1Model driver = new RegionV1Model(4096, 64).in(bits);
      assertThat(
              failureOf(
                  Kind.PROTOCOL_VIOLATION,
                  () -> RegionV1.open(ID, driver, DRIVER, 4096, MigrationEnd.SOURCE, true)))
          .hasMessageContaining("0x" + bits);
      assertThat(driver.closed()).isTrue();
    }
  }

  @Test
  void aDeviceOfTheOtherRegionIsNotOne() {
    RecordingAccess of2018 = new RecordingAccess(4096);
    assertThat(failureOf(Kind.NOT_MIGRATABLE, () -> RegionV1.look(ID, of2018, DRIVER, 4096)))
        .hasMessageContainingAll("type 3 and subtype 1", "Linux 5.8 to 5.17");
    failureOf(Kind.NOT_MIGRATABLE, () -> Region2018.look(ID, model, DRIVER, 4096));
  }

  @Test
  void aRegionWithoutRoomForDataIsAViolation() {
    RegionV1Model driver = new RegionV1Model(32, 32);
    failureOf(Kind.PROTOCOL_VIOLATION, () -> RegionV1.look(ID, driver, DRIVER, 4096));
  }

  @Test
  void eachChangeIsOneWriteThatKeepsTheOtherBitsBetweenTwoLooks() throws DeviceException {
    RegionV1 device = source(model.in(0x5a5a_5a50 | 1));
    lead(device, DeviceState.SETUP);
    assertThat(model.accesses()).containsExactly("read 0/4");
    lead(device, DeviceState.PRECOPY);
    assertThat(model.accesses()).containsExactly("read 0/4", "write 0/4=3", "read 0/4");
    lead(device, DeviceState.STOPNCOPY);
    assertThat(model.accesses()).containsExactly("read 0/4", "write 0/4=2", "read 0/4");
    lead(device, DeviceState.SAVE_COMPLETED);
    assertThat(model.accesses()).containsExactly("read 0/4", "write 0/4=0", "read 0/4");
    assertThat(model.register()).isEqualTo(0x5a5a_5a50);
  }

  @Test
  void aChangeThatWasTakenAndDidNotHappenNamesBothStates() throws DeviceException {
    String[][] changes = {
      {"SETUP", "PRECOPY", "3", "pre-copy (011)", "running (001)"},
      {"SETUP PRECOPY", "STOPNCOPY", "2", "stop-and-copy (010)", "pre-copy (011)"},
      {"SETUP STOPNCOPY", "SAVE_COMPLETED", "0", "stop (000)", "stop-and-copy (010)"},
      {"SETUP STOPNCOPY FAILED", "RUNNING", "1", "running (001)", "stop-and-copy (010)"},
      {"RESUME", "RESUME_COMPLETED", "0", "stop (000)", "resuming (100)"},
      {"RESUME RESUME_COMPLETED", "RUNNING", "1", "running (001)", "stop (000)"},
      {"", "RESUME", "4", "resuming (100)", "running (001)"}
    };
    for (String[] change : changes) {
      RegionV1Model driver = new RegionV1Model(4096, 64).holding(STATE);
      RegionV1 device = open(driver, MigrationEnd.DESTINATION, false);
      for (String state : change[0].split(" ")) {
        if (!state.isEmpty()) {
          lead(device, DeviceState.valueOf(state));
        }
      }
      DeviceState before = device.state();
      driver.ignoring("write 0/4=" + change[2]);
      assertThat(
              failureOf(
                  Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.valueOf(change[1]))))
          .hasMessageContainingAll(
              "the change to " + change[3] + " with success",
              "says that it is in " + change[4],
              "did not reach " + change[1]);
      assertThat(device.state()).isEqualTo(before);
      driver.ignoring("");
      lead(device, DeviceState.valueOf(change[1]));
    }
  }

  @Test
  void aDriverThatReportsNoStateBeforeOneWasWrittenRuns() throws DeviceException {
    model.reportingNoStateAtRest();
    assertThat(look(model).state()).isEqualTo(DeviceState.RUNNING);
    RegionV1 device = RegionV1.open(ID, model, DRIVER, 4096, MigrationEnd.SOURCE, true);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.register()).isEqualTo(1);

    RegionV1Model stuck =
        new RegionV1Model(4096, 64).reportingNoStateAtRest().ignoring("write 0/4=4");
    RegionV1 other = RegionV1.open(ID, stuck, DRIVER, 4096, MigrationEnd.DESTINATION, false);
    assertThat(failureOf(() -> other.transition(DeviceState.RESUME)))
        .hasMessageContaining("says that it is in running (001)");
  }

  @Test
  void askingForTheStateItIsInDoesNothing() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.RUNNING);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.accesses();
    lead(device, DeviceState.PRECOPY);
    assertThat(model.accesses()).isEmpty();
  }

  @Test
  void eachPhaseLeadsBackToRunningWithoutAReset() throws DeviceException {
    List<List<DeviceState>> ways =
        List.of(
            List.of(DeviceState.SETUP),
            List.of(DeviceState.SETUP, DeviceState.PRECOPY),
            List.of(DeviceState.SETUP, DeviceState.PRECOPY, DeviceState.STOPNCOPY),
            List.of(DeviceState.SETUP, DeviceState.STOPNCOPY));
    for (List<DeviceState> way : ways) {
      for (DeviceState exit : List.of(DeviceState.FAILED, DeviceState.CANCELLED)) {
        RegionV1Model driver = new RegionV1Model(4096, 64).holding(STATE);
        RegionV1 device = source(driver);
        lead(device, way.toArray(DeviceState[]::new));
        lead(device, exit, DeviceState.RUNNING);
        assertThat(driver.register()).isEqualTo(1);
        assertThat(driver.content()).isEqualTo(STATE);
        assertThat(driver.resets()).isZero();
      }
    }
  }

  @Test
  void aSourceThatAnotherAgentLeftIsLedBackOrCompleted() throws DeviceException {
    for (int bits : new int[] {0, 2, 3}) {
      RegionV1Model driver = new RegionV1Model(4096, 64).holding(STATE).in(bits);
      lead(source(driver), DeviceState.FAILED, DeviceState.RUNNING);
      assertThat(driver.register()).isEqualTo(1);
    }
    for (int bits : new int[] {0, 2}) {
      RegionV1Model driver = new RegionV1Model(4096, 64).in(bits);
      lead(source(driver), DeviceState.SAVE_COMPLETED);
      assertThat(driver.register()).isZero();
    }
  }

  @Test
  void aRefusedChangeIsReadBackAndNamed() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.failing("write 0/4=2", -1);
    model.accesses();
    DeviceException failure =
        failureOf(Kind.TRANSITION_FAILED, () -> device.transition(DeviceState.STOPNCOPY));
    assertThat(failure.errno()).isEqualTo(RegionV1Model.EIO);
    assertThat(failure).hasMessageContainingAll("EIO (5)", "pre-copy (011)");
    assertThat(model.accesses()).containsExactly("read 0/4", "write 0/4=2", "read 0/4");
    assertThat(device.state()).isEqualTo(DeviceState.PRECOPY);
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.register()).isEqualTo(1);
  }

  @Test
  void outOfTheErrorStateOnlyAResetLeads() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP);
    model.failing("write 0/4=2", 6);
    assertThat(failureOf(() -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContaining("error state (110)");
    assertThat(device.state()).isEqualTo(DeviceState.FAILED);
    lead(device, DeviceState.FAILED);
    assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
        .hasMessageContaining("only a reset leads out");
    device.reset();
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aDestinationThatWasGivenUpNeverRunsWhatItTookIn() throws DeviceException {
    for (boolean whole : List.of(false, true)) {
      RegionV1Model driver = new RegionV1Model(4096, 64);
      RegionV1 device = open(driver, MigrationEnd.DESTINATION, false);
      lead(device, DeviceState.RESUME);
      device.writeState(ByteBuffer.allocateDirect(STATE.length).put(STATE).flip());
      if (whole) {
        lead(device, DeviceState.RESUME_COMPLETED);
      }
      lead(device, DeviceState.FAILED);
      driver.accesses();
      assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
          .hasMessageContaining("must not run");
      assertThat(driver.accesses()).isEmpty();
      device.reset();
      assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
      assertThat(driver.content()).isEmpty();
    }
  }

  @Test
  void whatADriverDoesNotTakeForWholeStaysWhereAResetIsNeeded() throws DeviceException {
    RegionV1 device = open(model, MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME);
    model.failing("write 0/4=0", -1);
    assertThat(failureOf(() -> device.transition(DeviceState.RESUME_COMPLETED)))
        .hasMessageContaining("resuming (100)");
    assertThat(device.state()).isEqualTo(DeviceState.RESUME);
    lead(device, DeviceState.FAILED);
    device.reset();
    assertThat(model.register()).isEqualTo(1);
  }

  @Test
  void aDriverThatKnowsOnlyTheDrawnChangesResumesFrom100() throws DeviceException {
    RegionV1 device = open(model.asDrawn(), MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME);
    device.writeState(ByteBuffer.allocateDirect(STATE.length).put(STATE).flip());
    lead(device, DeviceState.RESUME_COMPLETED);
    assertThat(model.register()).as("it does not run before it is set to").isEqualTo(4);
    model.accesses();
    RegionV1 handedOn = open(model, MigrationEnd.DESTINATION, true);
    for (RegionV1 each : List.of(device, handedOn)) {
      model.in(4).failing("write 0/4=1", -1);
      assertThat(failureOf(() -> each.transition(DeviceState.RUNNING)))
          .hasMessageContaining("resuming (100)");
      model.failing("", -1);
      lead(each, DeviceState.RUNNING);
      assertThat(model.register()).isEqualTo(1);
      assertThat(model.content()).isEqualTo(STATE);
    }
  }

  @Test
  void aDriverThatKnowsOnlyTheDrawnChangesIsGivenUpByAReset() throws DeviceException {
    RegionV1 device = open(model.asDrawn(), MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME, DeviceState.RESUME_COMPLETED, DeviceState.FAILED);
    assertThat(failureOf(() -> device.transition(DeviceState.RUNNING)))
        .hasMessageContaining("must not run");
    device.reset();
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void aDeviceThatWasResetIsNotStoppedInTheMiddleOfItsState() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.in(1);
    assertThat(failureOf(() -> device.transition(DeviceState.STOPNCOPY)))
        .hasMessageContainingAll("running (001)", "reset");
    assertThat(model.register()).isEqualTo(1);
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
  }

  @Test
  void aLoadedDeviceThatRunsByItselfLostWhatItTookIn() throws DeviceException {
    RegionV1 device = open(model, MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME, DeviceState.RESUME_COMPLETED);
    model.in(1);
    for (int asked = 1; asked <= 2; asked++) {
      DeviceException failure = failureOf(() -> device.transition(DeviceState.RUNNING));
      assertThat(failure.kind()).as("asked %d times", asked).isEqualTo(Kind.STATE_LOST);
      assertThat(failure).hasMessageContaining("it was reset");
    }
  }

  @Test
  void aLookAtALoadedDeviceSaysWhatBecameOfIt() throws DeviceException {
    RegionV1 device = open(model, MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME, DeviceState.RESUME_COMPLETED);
    model.accesses();
    device.requireLoaded();
    assertThat(model.accesses()).containsExactly("read 0/4");
    for (int elsewhere : new int[] {0b001, 0b010, 0b110, 0b111}) {
      model.in(elsewhere);
      assertThat(failureOf(device::requireLoaded).kind())
          .as("in %s", elsewhere)
          .isEqualTo(Kind.STATE_LOST);
    }
    model.in(0);
    device.requireLoaded();
    model.lost();
    failureOf(Kind.UNREACHABLE, device::requireLoaded);
  }

  @Test
  void aDriverThatWaitsInResumingIsFoundLoaded() throws DeviceException {
    RegionV1 device = open(model.asDrawn(), MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME, DeviceState.RESUME_COMPLETED);
    device.requireLoaded();
  }

  /** A look that failed changed nothing, so what runs afterwards was reset all the same. */
  @Test
  void aLoadedDeviceThatCouldNotBeLookedAtAndWasResetLostWhatItTookIn() throws DeviceException {
    RegionV1 device = open(model, MigrationEnd.DESTINATION, false);
    lead(device, DeviceState.RESUME, DeviceState.RESUME_COMPLETED);
    model.in(0b111);
    failureOf(() -> device.transition(DeviceState.RUNNING));
    model.in(1);
    failureOf(Kind.STATE_LOST, () -> device.transition(DeviceState.RUNNING));
  }

  @Test
  void aLostDeviceIsUnreachableWhateverIsAsked() throws DeviceException {
    RegionV1 device = source(model);
    lead(device, DeviceState.SETUP, DeviceState.PRECOPY);
    model.lost();
    ByteBuffer chunk = ByteBuffer.allocateDirect(64);
    for (ThrowingCallable action :
        List.<ThrowingCallable>of(
            () -> device.transition(DeviceState.STOPNCOPY),
            () -> device.pending(0),
            () -> device.readState(chunk),
            () -> device.writeState(chunk),
            device::reset)) {
      failureOf(Kind.UNREACHABLE, action);
    }
    failureOf(Kind.UNREACHABLE, () -> RegionV1.look(ID, model, DRIVER, 4096));
    device.close();
    assertThat(model.closed()).isTrue();
  }
}
