package dev.vfio.migration.sandbox.devices.device;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.CANCELLED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.FAILED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.NONE;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.PRECOPY;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RUNNING;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SAVE_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.tuple;

import dev.vfio.migration.sandbox.devices.content.StateGeometry;
import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.lifecycle.Transitions;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DeviceModelTest {

  @ParameterizedTest
  @EnumSource(DeviceState.class)
  void theDeviceTakesExactlyTheTransitionsOfTheTable(DeviceState from) throws RefusalException {
    for (DeviceState to : DeviceState.values()) {
      ModelFixture fixture = in(from);
      assertThat(fixture.device.state()).isEqualTo(from);
      if (Transitions.allowed(from, to)) {
        fixture.to(to);
        assertThat(fixture.device.state()).as("%s to %s", from, to).isEqualTo(to);
      } else {
        refused(Errno.EINVAL, () -> fixture.to(to));
        assertThat(fixture.device.state()).isEqualTo(from);
        assertThat(fixture.log.events("refused"))
            .last()
            .satisfies(
                event ->
                    assertThat(event)
                        .containsEntry("from", from.name())
                        .containsEntry("to", to.name())
                        .containsEntry("errno", 22));
      }
    }
  }

  @Test
  void aNumberThatIsNoStateIsRefusedAndLogged() {
    ModelFixture fixture = ModelFixture.running();
    refused(Errno.EINVAL, () -> fixture.device.transition(10));
    refused(Errno.EINVAL, () -> fixture.device.transition(-1));
    assertThat(fixture.device.state()).isEqualTo(RUNNING);
    assertThat(fixture.log.events("refused")).extracting("to").containsExactly("10", "-1");
  }

  @Test
  void everyMoveIsLoggedWithItsNumber() throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, PRECOPY, CANCELLED, RUNNING);
    assertThat(fixture.log.events("state"))
        .extracting("from", "to", "wire")
        .containsExactly(
            tuple("NONE", "RUNNING", 1),
            tuple("RUNNING", "SETUP", 2),
            tuple("SETUP", "PRECOPY", 3),
            tuple("PRECOPY", "CANCELLED", 9),
            tuple("CANCELLED", "RUNNING", 1));
  }

  @Test
  void aDeviceThatGaveItsStateAwayNeverRunsAgainWithoutAReset() throws RefusalException {
    ModelFixture fixture = ModelFixture.running();
    fixture.save();
    fixture.to(SAVE_COMPLETED, FAILED);
    refused(Errno.EINVAL, () -> fixture.to(RUNNING));
    fixture.device.reset();
    assertThat(fixture.device.state()).isEqualTo(NONE);
    fixture.to(RESUME);
  }

  @Test
  void aHalfLoadedDeviceNeverRuns() throws RefusalException {
    ModelFixture fixture = ModelFixture.small().to(RESUME);
    fixture.device.load(ModelFixture.running().save().get(0));
    fixture.to(FAILED);
    refused(Errno.EINVAL, () -> fixture.to(RUNNING));
    assertThat(fixture.device.status().holdsState()).isFalse();
  }

  @Test
  void aLoadedDeviceThatFailsBeforeItRunsIsDiscarded() throws RefusalException {
    ModelFixture fixture = loaded().to(FAILED);
    refused(Errno.EINVAL, () -> fixture.to(RUNNING));
  }

  @Test
  void resumeAndResetAreRefusedWhileTheWorkloadHoldsTheDevice() throws RefusalException {
    ModelFixture fixture = ModelFixture.running();
    fixture.held = true;
    refused(Errno.EBUSY, () -> fixture.to(RESUME));
    refused(Errno.EBUSY, fixture.device::reset);
    assertThat(fixture.device.state()).isEqualTo(RUNNING);
    fixture.held = false;
    fixture.to(RESUME);
  }

  @Test
  void aStoppedDeviceDoesNotStepAndSaysOnceThatTheWorkloadTried() throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, STOPNCOPY);
    long step = fixture.device.stepNumber();
    assertThat(fixture.device.step()).isFalse();
    assertThat(fixture.device.step()).isFalse();
    assertThat(fixture.device.stepNumber()).isEqualTo(step);
    assertThat(fixture.log.events("violation"))
        .singleElement()
        .satisfies(event -> assertThat(event).containsEntry("state", "STOPNCOPY"));
  }

  @ParameterizedTest
  @EnumSource(
      value = DeviceState.class,
      names = {"FAILED", "CANCELLED"})
  void aDeviceThatNeverStoppedServesItsWorkloadThroughTheRollback(DeviceState end)
      throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, PRECOPY, end);
    assertThat(fixture.device.step()).isTrue();
    fixture.to(RUNNING);
    assertThat(fixture.device.step()).isTrue();
    assertThat(fixture.log.events("violation")).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(
      value = DeviceState.class,
      names = {"FAILED", "CANCELLED"})
  void aStoppedDeviceStaysStoppedUntilItIsSetToRun(DeviceState end) throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, STOPNCOPY, end);
    assertThat(fixture.device.step()).isFalse();
    fixture.to(RUNNING);
    assertThat(fixture.device.step()).isTrue();
    assertThat(fixture.device.audit().complete().ok()).isTrue();
  }

  @Test
  void completingASaveBeforeAllWasReadIsAViolation() throws RefusalException {
    ModelFixture early = ModelFixture.running().to(SETUP, STOPNCOPY, SAVE_COMPLETED);
    assertThat(early.log.events("violation")).hasSize(1);
    ModelFixture whole = ModelFixture.running();
    whole.save();
    whole.to(SAVE_COMPLETED);
    assertThat(whole.log.events("violation")).isEmpty();
  }

  @Test
  void aRepeatedSaveAfterARollbackHandsEverythingOutAgain() throws RefusalException {
    ModelFixture source = ModelFixture.running();
    List<?> first = source.save();
    source.to(FAILED, RUNNING);
    source.steps(10);
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.loadAll(source.save());
    destination.to(RESUME_COMPLETED, RUNNING);
    assertThat(first).isNotEmpty();
    assertThat(destination.device.claim().complete().step()).isEqualTo(60);
  }

  @Test
  void onlyALoadedAndRunningDeviceCanBeTaken() throws RefusalException {
    ModelFixture fresh = ModelFixture.small().to(RUNNING);
    refused(Errno.EBUSY, fresh.device::claim);
    ModelFixture loaded = loaded();
    refused(Errno.EBUSY, loaded.device::claim);
    assertThat(loaded.to(RUNNING).device.claim().complete().ok()).isTrue();
  }

  @Test
  void resumeWithoutAllDataIsRefused() throws RefusalException {
    List<ByteBuffer> chunks = ModelFixture.running().save();
    ModelFixture nothing = ModelFixture.small().to(RESUME);
    refused(Errno.EINVAL, () -> nothing.to(RESUME_COMPLETED));
    assertThat(nothing.device.state()).isEqualTo(RESUME);
    ModelFixture almost = ModelFixture.small().to(RESUME);
    almost.loadAll(chunks.subList(0, chunks.size() - 1));
    refused(Errno.EINVAL, () -> almost.to(RESUME_COMPLETED));
  }

  @Test
  void buffersAreHandedOutAndTakenInTheirStatesOnly() throws RefusalException {
    for (DeviceState state : DeviceState.values()) {
      ModelFixture fixture = in(state);
      if (state != PRECOPY && state != STOPNCOPY) {
        refused(Errno.EINVAL, fixture::stage);
      }
      if (state != RESUME) {
        refused(Errno.EINVAL, () -> fixture.device.load(ByteBuffer.allocate(8)));
      }
    }
  }

  @Test
  void aClientThatComesBackGetsTheChunkAgainThatItMayNotHaveRead() throws RefusalException {
    ModelFixture source = ModelFixture.running().to(SETUP, STOPNCOPY);
    List<ByteBuffer> chunks = new ArrayList<>();
    chunks.add(source.stage());
    ByteBuffer lost = source.stage();
    assertThat(lost.hasRemaining()).isTrue();
    source.device.clientLeft();
    chunks.addAll(source.stageAll());
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.loadAll(chunks);
    destination.to(RESUME_COMPLETED);
    assertThat(destination.device.stepNumber()).isEqualTo(50);
  }

  @Test
  void theLastChunkWithTheRegistersComesAgainOnlyIfItWasNotTaken() throws RefusalException {
    ModelFixture source = ModelFixture.running();
    List<ByteBuffer> chunks = source.save();
    // the last read said "nothing more", so the last chunk had been taken
    source.device.clientLeft();
    assertThat(source.device.pending(0)).isEqualTo(PendingBytes.NOTHING);

    ModelFixture again = ModelFixture.running().to(SETUP, STOPNCOPY);
    for (int index = 0; index < chunks.size(); index++) {
      again.stage();
    }
    again.device.clientLeft();
    assertThat(again.device.pending(0).total()).isGreaterThan(0);
  }

  @Test
  void aHalfWrittenChunkMayComeAgainFromItsBeginningOrGoOn() throws RefusalException {
    List<ByteBuffer> chunks = ModelFixture.running().save();
    ByteBuffer first = chunks.get(0);
    int cut = 5001;
    for (boolean again : new boolean[] {true, false}) {
      ModelFixture destination = ModelFixture.small().to(RESUME);
      destination.device.load(first.slice(0, cut));
      destination.device.clientLeft();
      destination.device.load(again ? first.duplicate() : first.slice(cut, first.limit() - cut));
      destination.loadAll(chunks.subList(1, chunks.size()));
      destination.to(RESUME_COMPLETED);
    }
  }

  @Test
  void theInitialRateEndsWithTheFirstSetup() throws RefusalException {
    DeviceSettings settings =
        new DeviceSettings(new StateGeometry(1 << 20, 4096), 1, 1 << 16, 64, 10 << 20, 1 << 20, 0);
    ModelFixture fixture = ModelFixture.small();
    DeviceModel device = new DeviceModel(settings, null, fixture.faults, fixture.log.log());
    device.attach(fixture);
    device.powerOn();
    for (int step = 0; step < 10; step++) {
      device.step();
    }
    device.transition(SETUP.wire());
    device.transition(PRECOPY.wire());
    while (device.stage(0, fixture.area) > 0) {
      assertThat(device.state()).isEqualTo(PRECOPY);
    }
    long before = device.pending(0).total();
    for (int step = 0; step < 10; step++) {
      device.step();
    }
    assertThat(device.pending(0).total() - before).isBetween(9L * 4096, 10L * 4096);
    assertThat(device.audit().complete().ok()).isTrue();
  }

  static ModelFixture loaded() throws RefusalException {
    ModelFixture fixture = ModelFixture.small().to(RESUME);
    fixture.loadAll(ModelFixture.running().save());
    return fixture.to(RESUME_COMPLETED);
  }

  static void refused(int errno, ThrowingCallable call) {
    assertThatExceptionOfType(RefusalException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
  }

  private static ModelFixture in(DeviceState state) throws RefusalException {
    return switch (state) {
      case NONE -> ModelFixture.small();
      case RUNNING -> ModelFixture.running();
      case SETUP -> ModelFixture.running().to(SETUP);
      case PRECOPY -> ModelFixture.running().to(SETUP, PRECOPY);
      case STOPNCOPY -> ModelFixture.running().to(SETUP, STOPNCOPY);
      case SAVE_COMPLETED -> ModelFixture.running().to(SETUP, STOPNCOPY, SAVE_COMPLETED);
      case RESUME -> {
        ModelFixture fixture = ModelFixture.small().to(RESUME);
        fixture.loadAll(ModelFixture.running().save());
        yield fixture;
      }
      case RESUME_COMPLETED -> loaded();
      case FAILED -> ModelFixture.running().to(SETUP, FAILED);
      case CANCELLED -> ModelFixture.running().to(SETUP, CANCELLED);
    };
  }
}
