package dev.vfio.migration.sandbox.devices.fault;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.NONE;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.PRECOPY;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RUNNING;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.vfio.migration.sandbox.devices.device.DmaWindow;
import dev.vfio.migration.sandbox.devices.device.ModelFixture;
import dev.vfio.migration.sandbox.devices.device.PendingBytes;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.devices.region.MigrationRegion;
import dev.vfio.migration.sandbox.devices.region.RegionMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class FaultsOnDemandTest {
  private static final int AREA = 1 << 16;
  private static final long WINDOW_PAGES = 60;

  @TempDir Path directory;
  private ModelFixture fixture;
  private MigrationRegion region;

  @BeforeEach
  void aRunningDeviceWithAWindow() throws IOException {
    DmaWindow window = DmaWindow.open("ring", directory.resolve("ring"), WINDOW_PAGES * 4096, 4096);
    fixture = new ModelFixture(1 << 20, AREA, window, 3);
    region =
        new MigrationRegion(
            fixture.device, RegionMemory.trapped(AREA), fixture.faults, fixture.log.log());
    fixture.device.powerOn();
    fixture.steps(10);
  }

  @Test
  void failTransitionLeavesTheDeviceWhereItWas() throws RefusalException {
    fixture.fault("fail-transition=STOPNCOPY:16*2");
    fixture.to(SETUP);
    refused(16, () -> fixture.to(STOPNCOPY));
    refused(16, () -> fixture.to(STOPNCOPY));
    assertThat(fixture.device.state()).isEqualTo(SETUP);
    assertThat(fixture.log.events("fault")).hasSize(2);
    assertThat(fixture.log.events("refused")).hasSize(2);
    fixture.to(STOPNCOPY);
  }

  @Test
  void aResetMayKeepTheState() throws RefusalException {
    fixture.to(SETUP, STOPNCOPY);
    fixture.fault("reset-keeps-state*1");
    fixture.device.reset();
    assertThat(fixture.device.state()).isEqualTo(STOPNCOPY);
    fixture.device.reset();
    assertThat(fixture.device.state()).isEqualTo(NONE);
  }

  @Test
  void aResetMayFail() {
    fixture.fault("fail-reset:5");
    refused(5, fixture.device::reset);
    assertThat(fixture.device.state()).isEqualTo(RUNNING);
  }

  @Test
  void failTransitionIsEioUnlessAnotherErrnoIsGiven() {
    fixture.fault("fail-transition=SETUP");
    refused(5, () -> fixture.to(SETUP));
    fixture.faults.clear();
    assertThat(fixture.faults.notations()).isEmpty();
  }

  @Test
  void failBufferFailsAGetAfterThatManyBytes() throws RefusalException {
    fixture.fault("fail-buffer=PRECOPY@100000:12");
    fixture.to(SETUP, PRECOPY);
    long handedOut = 0;
    while (handedOut < 100_000) {
      handedOut += fixture.stage().remaining();
    }
    refused(12, fixture::stage);
    fixture.to(STOPNCOPY);
    assertThat(fixture.stage().remaining()).isPositive();
  }

  @Test
  void failBufferFailsASet() throws RefusalException {
    List<ByteBuffer> chunks = ModelFixture.running().save();
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.fault("fail-buffer=RESUME@70000");
    destination.device.load(chunks.get(0));
    destination.device.load(chunks.get(1));
    refused(5, () -> destination.device.load(chunks.get(2)));
  }

  @Test
  void stallHoldsTheTransitionAndNotTheWorkload() throws Exception {
    fixture.fault("stall=SETUP:60000");
    CompletableFuture<Void> move =
        CompletableFuture.runAsync(
            () -> {
              try {
                fixture.to(SETUP);
              } catch (RefusalException e) {
                throw new AssertionError(e);
              }
            });
    while (fixture.log.events("fault").isEmpty()) {
      Thread.onSpinWait();
    }
    long step = fixture.device.stepNumber();
    fixture.steps(5);
    assertThat(fixture.device.stepNumber()).isEqualTo(step + 5);
    assertThat(fixture.device.state()).isEqualTo(RUNNING);
    assertThat(move).isNotDone();
    fixture.faults.clear();
    move.get(60, TimeUnit.SECONDS);
    assertThat(fixture.device.state()).isEqualTo(SETUP);
  }

  @Test
  void stallEndsByItself() throws RefusalException {
    fixture.fault("stall=SETUP:30");
    long before = System.nanoTime();
    fixture.to(SETUP);
    assertThat(System.nanoTime() - before).isGreaterThanOrEqualTo(30_000_000);
  }

  @Test
  void shortReadCutsReadsInThatStateOnly() throws RefusalException {
    fixture.fault("short-read=PRECOPY");
    fixture.to(SETUP);
    assertThat(region.lengthOfRead(8)).isEqualTo(8);
    fixture.to(PRECOPY);
    assertThat(region.lengthOfRead(8)).isEqualTo(4);
    assertThat(region.lengthOfRead(1)).isEqualTo(1);
  }

  @Test
  void oversizeDataReachesBeyondTheRegion() throws RefusalException {
    fixture.fault("oversize-data=PRECOPY");
    fixture.to(SETUP, PRECOPY);
    assertThat(get(36) + get(44)).isGreaterThan(region.memory().size());
  }

  @Test
  void badOffsetIsBelowTheDataOrBeyondTheRegion() throws RefusalException {
    fixture.fault("bad-offset=PRECOPY*1");
    fixture.fault("bad-offset=PRECOPY:beyond*1");
    fixture.to(SETUP, PRECOPY);
    assertThat(get(36)).isLessThan(76);
    assertThat(get(36)).isGreaterThanOrEqualTo(region.memory().size());
    assertThat(get(36)).isEqualTo(76);
  }

  @Test
  void badBitmapLiesBeyondTheRegion() throws RefusalException {
    fixture.fault("bad-bitmap");
    assertThat(dirty()).isEqualTo(WINDOW_PAGES);
    assertThat(get(36) + 8).isGreaterThan(region.memory().size());
  }

  @Test
  void badBitmapMayHaveBitsOutsideTheRange() throws RefusalException {
    fixture.fault("bad-bitmap=bits");
    assertThat(dirty()).isEqualTo(WINDOW_PAGES);
    int last = region.read(get(36) + WINDOW_PAGES / 8, 1).get(0) & 0xF0;
    assertThat(last).as("pages 60 to 63 do not exist").isEqualTo(0xF0);
  }

  @Test
  void copiedBeyondTotal() throws RefusalException {
    fixture.fault("copied-beyond-total");
    assertThat(dirty()).isEqualTo(WINDOW_PAGES + 1);
  }

  @Test
  void dirtyLogRefused() throws RefusalException {
    fixture.fault("dirty-log-refused:95*1");
    refused(95, this::dirty);
    fixture.fault("dirty-log-refused");
    refused(22, () -> get(68));
  }

  @Test
  void neverDryHasBytesPendingAndNoneToGive() throws RefusalException {
    fixture.fault("never-dry");
    fixture.save();
    assertThat(fixture.device.pending(0)).isEqualTo(new PendingBytes(0, 4096, 0));
    assertThat(fixture.stage().remaining()).isZero();
  }

  @Test
  void neverDryMayGiveDataForEver() throws RefusalException {
    fixture.fault("never-dry=data");
    fixture.to(SETUP, STOPNCOPY);
    long handedOut = 0;
    while (handedOut < 3 << 20) {
      int size = fixture.stage().remaining();
      assertThat(size).isPositive();
      handedOut += size;
    }
  }

  @Test
  void aMoveMayBeAnsweredAndNotMade() throws RefusalException {
    fixture.fault("ignore-transition=STOPNCOPY*1");
    fixture.to(SETUP, STOPNCOPY);
    assertThat(fixture.device.state()).isEqualTo(SETUP);
    assertThat(fixture.device.operates()).isTrue();
    fixture.to(STOPNCOPY);
    assertThat(fixture.device.state()).isEqualTo(STOPNCOPY);
  }

  @Test
  void aChunkMayBeStagedWhenItsSizeIsRead() throws RefusalException {
    fixture.fault("stage-on-size");
    fixture.to(SETUP, PRECOPY);
    long before = fixture.device.pending(0).total();
    assertThat(get(36)).isZero();
    assertThat(fixture.device.pending(0).total()).as("nothing was staged").isEqualTo(before);
    long size = get(44);
    assertThat(size).isPositive();
    assertThat(get(36)).isEqualTo(76);
    assertThat(get(36)).isEqualTo(76);
    assertThat(fixture.device.pending(0).total()).isLessThan(before);
  }

  @Test
  void aBitmapMayBePlacedWhenItsSizeIsRead() throws RefusalException {
    fixture.fault("stage-on-size");
    assertThat(dirty()).isPositive();
    assertThat(get(36)).isZero();
    assertThat(get(44)).isEqualTo((WINDOW_PAGES + 7) / 8);
    assertThat(get(36)).isEqualTo(76);
  }

  @Test
  void registersMayTakeHalvesOnly() throws RefusalException {
    fixture.fault("halves-only");
    fixture.to(SETUP, PRECOPY);
    refused(22, () -> get(12));
    refused(22, () -> put(28, 1));
    assertThat(region.read(12, 4).remaining()).isEqualTo(4);
    assertThat(region.read(16, 4).remaining()).isEqualTo(4);
    assertThat(region.read(0, 4).remaining()).isEqualTo(4);
  }

  @Test
  void nothingMayBeSaidToBePendingWhileThereIsState() throws RefusalException {
    fixture.fault("estimate-nothing");
    fixture.to(SETUP, PRECOPY);
    assertThat(fixture.device.pending(0)).isEqualTo(new PendingBytes(0, 0, 0));
    assertThat(fixture.stage().remaining()).isPositive();
  }

  @Test
  void stateReadEinval() throws RefusalException {
    fixture.fault("state-read-einval");
    refused(22, () -> region.read(0, 4));
    fixture.to(SETUP);
  }

  @Test
  void aFaultIsLoggedWithWhatItDoes() throws RefusalException {
    fixture.fault("oversize-data=PRECOPY");
    fixture.to(SETUP, PRECOPY);
    get(36);
    get(36);
    assertThat(fixture.log.events("fault"))
        .singleElement()
        .satisfies(
            event ->
                assertThat(event)
                    .containsEntry("fault", "oversize-data")
                    .containsEntry("spec", "oversize-data=PRECOPY")
                    .containsEntry("state", "PRECOPY"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "unknown",
        "stall=PRECOPY",
        "stall=PRECOPY:x",
        "fail-transition",
        "fail-transition=SIDEWAYS",
        "fail-transition=SETUP:0",
        "fail-transition=SETUP:99999",
        "fail-buffer=PRECOPY",
        "fail-buffer=PRECOPY@",
        "never-dry*x",
        "copied-beyond-total=PRECOPY"
      })
  void aFaultThatIsNotOneIsExplained(String notation) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Fault.parse(notation))
        .withMessageContaining("'" + notation + "'");
  }

  private long dirty() throws RefusalException {
    fixture.to(SETUP, PRECOPY);
    fixture.steps(5);
    put(52, DmaWindow.ADDRESS);
    put(60, WINDOW_PAGES);
    return get(68);
  }

  private long get(int offset) throws RefusalException {
    return region.read(offset, 8).order(ByteOrder.nativeOrder()).getLong(0);
  }

  private void put(int offset, long value) throws RefusalException {
    ByteBuffer bytes = region.beforeWrite(offset, 8);
    region.written(offset, bytes.putLong(0, value));
  }

  private static void refused(int errno, ThrowingCallable call) {
    assertThatExceptionOfType(RefusalException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
