package dev.vfio.migration.sandbox.devices.device;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.PRECOPY;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.devices.chunk.ChunkFormat;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.generators.Seeds;
import org.junit.jupiter.api.Test;

class SaveSessionTest {
  private static final long PAGE = 4096;
  private static final long REGISTERS = ChunkFormat.REGISTERS_SIZE;

  @Test
  void atSetupTheWholeStateIsPendingInAllThreeClasses() throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP);
    PendingBytes pending = fixture.device.pending(0);
    assertThat(pending.precopyOnly()).isEqualTo(32 * PAGE);
    assertThat(pending.postcopyOnly()).isEqualTo(4 * PAGE + REGISTERS);
    assertThat(pending.total()).isEqualTo((1 << 20) + REGISTERS);
  }

  @Test
  void aShortLastPageCountsWithItsOwnLength() throws RefusalException {
    ModelFixture fixture = new ModelFixture(1024, 1 << 16, null, 1);
    fixture.device.powerOn();
    fixture.to(SETUP);
    assertThat(fixture.device.pending(0)).isEqualTo(new PendingBytes(0, 1024, REGISTERS));
  }

  @Test
  void precopyLeavesWhatIsPostcopyOnlyForTheStop() throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, PRECOPY);
    fixture.stageAll();
    PendingBytes left = fixture.device.pending(0);
    assertThat(left).isEqualTo(new PendingBytes(0, 0, 4 * PAGE + REGISTERS));
    fixture.to(STOPNCOPY);
    assertThat(fixture.stageAll()).isNotEmpty();
    assertThat(fixture.device.pending(0)).isEqualTo(PendingBytes.NOTHING);
  }

  @Test
  void pagesThatBecomeDirtyAgainAreHeldBackUpToTheThreshold() throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, PRECOPY);
    fixture.stageAll();
    fixture.steps(20);
    PendingBytes none = fixture.device.pending(0);
    PendingBytes some = fixture.device.pending(4 * PAGE + REGISTERS + 5 * PAGE);
    PendingBytes all = fixture.device.pending(1 << 20);
    assertThat(none.compatible()).isGreaterThan(5 * PAGE);
    assertThat(some.compatible()).isEqualTo(none.compatible() - 5 * PAGE);
    assertThat(some.postcopyOnly()).isEqualTo(none.postcopyOnly() + 5 * PAGE);
    assertThat(all.compatible()).isZero();
    assertThat(fixture.device.pending(-1)).as("a threshold is unsigned").isEqualTo(all);
  }

  @Test
  void whatFitsTheThresholdIsNotHandedOutAgainBeforeTheStop() throws RefusalException {
    ModelFixture fixture = ModelFixture.running().to(SETUP, PRECOPY);
    fixture.stageAll();
    fixture.steps(5);
    // what is precopy-only goes out whatever the threshold
    while (fixture.device.stage(1 << 20, fixture.area) > 0) {
      assertThat(fixture.device.pending(1 << 20).total()).isPositive();
    }
    assertThat(fixture.device.pending(1 << 20).precopyOnly()).isZero();
    fixture.to(STOPNCOPY);
    assertThat(fixture.stageAll()).isNotEmpty();
  }

  @Test
  void theSumDoesNotDependOnTheThreshold() {
    Seeds.check(
        200,
        values -> {
          ModelFixture fixture = ModelFixture.running().to(SETUP, PRECOPY);
          int chunks = values.integer(0, 40);
          for (int chunk = 0; chunk < chunks; chunk++) {
            fixture.stage();
          }
          fixture.steps(values.integer(0, 60));
          PendingBytes pending = fixture.device.pending(values.number(0, 1 << 21));
          assertThat(pending.total()).isEqualTo(fixture.device.pending(0).total());
          assertThat(pending.precopyOnly()).isNotNegative();
          assertThat(pending.compatible()).isNotNegative();
          assertThat(pending.postcopyOnly()).isNotNegative();
        });
  }

  @Test
  void nothingIsPendingOutsideASave() {
    assertThat(ModelFixture.running().device.pending(0)).isEqualTo(PendingBytes.NOTHING);
    assertThat(ModelFixture.small().device.pending(0)).isEqualTo(PendingBytes.NOTHING);
  }
}
