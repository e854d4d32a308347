package dev.vfio.migration.sandbox.devices.region;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.FAILED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.PRECOPY;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RUNNING;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.vfio.migration.sandbox.devices.device.DmaWindow;
import dev.vfio.migration.sandbox.devices.device.ModelFixture;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MigrationRegionTest {
  private static final int AREA = 1 << 16;
  private static final Set<Integer> LONGS = Set.of(4, 12, 20, 28, 36, 44, 52, 60, 68);

  private final ModelFixture fixture = ModelFixture.running();
  private final MigrationRegion region = region(fixture);

  @Test
  void registersAreReadAsAWholeOrInHalvesAndInNoOtherWay() throws RefusalException {
    fixture.to(SETUP, PRECOPY);
    for (int offset = 0; offset < 76; offset++) {
      for (int count = 1; count <= 16; count++) {
        boolean taken =
            offset == 0 && count == 4
                || LONGS.contains(offset) && count == 8
                || (LONGS.contains(offset) || LONGS.contains(offset - 4)) && count == 4;
        // the dirty log's register needs a window; its widths are tried below
        if (taken && offset != 68) {
          assertThat(region.read(offset, count).remaining()).isEqualTo(count);
        } else {
          int at = offset;
          int width = count;
          refused(() -> region.read(at, width));
        }
      }
    }
  }

  @Test
  void registersAreWrittenAsAWholeOrInHalvesAndInNoOtherWay() throws RefusalException {
    fixture.device.reset();
    fixture.to(RESUME);
    Set<Integer> writable = Set.of(28, 36, 44, 52, 60);
    for (int offset = 0; offset < 76; offset++) {
      for (int count = 1; count <= 16; count++) {
        boolean taken =
            offset == 0 && count == 4
                || writable.contains(offset) && count == 8
                || (writable.contains(offset) || writable.contains(offset - 4)) && count == 4;
        int at = offset;
        int width = count;
        if (taken) {
          assertThat(region.beforeWrite(at, width).remaining()).isEqualTo(width);
        } else {
          refused(() -> region.beforeWrite(at, width));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"-1,4", "0,0", "76,-1", "65612,1", "65611,2", "9223372036854775807,8", "74,4"})
  void accessesOutsideTheRegionOrAcrossItsPartsAreRefused(long offset, int count)
      throws RefusalException {
    fixture.to(SETUP, PRECOPY);
    refused(() -> region.read(offset, count));
    fixture.to(FAILED);
    fixture.device.reset();
    fixture.to(RESUME);
    refused(() -> region.beforeWrite(offset, count));
    assertThat(fixture.log.events("rejected")).hasSize(2);
  }

  @Test
  void anEightByteAccessMayArriveAsTwoOfFour() throws RefusalException {
    fixture.to(SETUP, PRECOPY);
    writeHalves(28, 1L << 40 | 5);
    assertThat(get(28)).isEqualTo(1L << 40 | 5);
    assertThat(readHalves(12)).isEqualTo(fixture.device.pending(0).compatible());
    long offset = readHalves(36);
    long size = readHalves(44);
    assertThat(offset).isEqualTo(76);
    assertThat(size).isBetween(4096L, (long) AREA);

    ModelFixture other = ModelFixture.small().to(RESUME);
    MigrationRegion into = region(other);
    into.beforeWrite(76, (int) size).put(region.read(76, (int) size));
    into.written(76, ByteBuffer.allocateDirect((int) size));
    writeHalves(into, 36, 76);
    assertThat(other.device.status().bytesIn()).isZero();
    writeHalves(into, 44, size);
    assertThat(other.device.status().bytesIn()).isEqualTo(size);
  }

  @Test
  void eachReadOfDataOffsetStagesTheNextChunkAndReadingTheRestDoesNot() throws RefusalException {
    fixture.to(SETUP, STOPNCOPY);
    long pending = sum();
    get(36);
    long afterOne = sum();
    assertThat(afterOne).isLessThan(pending);
    get(44);
    get(44);
    region.read(40, 4);
    assertThat(sum()).isEqualTo(afterOne);
    get(36);
    assertThat(sum()).isLessThan(afterOne);
  }

  @Test
  void whenNothingIsLeftDataSizeIsZero() throws RefusalException {
    fixture.to(SETUP, STOPNCOPY);
    int chunks = 0;
    while (get(36) == 76 && get(44) > 0) {
      chunks++;
    }
    assertThat(chunks).isBetween(17, 20);
    assertThat(sum()).isZero();
    assertThat(get(44)).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {75, 0, -1, 65612, 65613, 1L << 40})
  void setBufferWithABadOffsetIsRefused(long offset) throws RefusalException {
    fixture.device.reset();
    fixture.to(RESUME);
    put(36, offset);
    refused(() -> put(44, 4));
    assertThat(fixture.log.events("rejected")).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(longs = {65537, -1, 1L << 40, Long.MAX_VALUE})
  void setBufferBeyondTheRegionIsRefused(long size) throws RefusalException {
    fixture.device.reset();
    fixture.to(RESUME);
    put(36, 76);
    refused(() -> put(44, size));
  }

  @Test
  void whatTheDeviceOwnsCannotBeWrittenAndDataOnlyInResume() throws RefusalException {
    for (int offset : List.of(4, 12, 20, 68)) {
      refused(() -> put(offset, 1));
    }
    refused(() -> put(36, 76));
    refused(() -> put(44, 0));
    refused(() -> region.beforeWrite(76, 8));
    assertThat(fixture.device.state()).isEqualTo(RUNNING);
  }

  @Test
  void inResumeDataOffsetSaysWhereTheDataAreaBegins() throws RefusalException {
    fixture.to(SETUP, STOPNCOPY);
    get(36);
    fixture.device.transition(FAILED.wire());
    fixture.device.reset();
    setState(RESUME.wire());
    assertThat(get(36)).isEqualTo(76);
    assertThat(get(44)).isZero();
  }

  @Test
  void deviceStateReadsBackAndIsSetByAWrite() throws RefusalException {
    setState(2);
    assertThat(region.read(0, 4).order(ByteOrder.nativeOrder()).getInt(0)).isEqualTo(2);
    refused(() -> setState(1));
    assertThat(fixture.device.state()).isEqualTo(SETUP);
  }

  @Test
  void aBitmapIsAnnouncedByTheNextReadOfDataOffsetAndThenBuffersGoOn(@TempDir Path directory)
      throws Exception {
    ModelFixture windowed = windowed(directory);
    MigrationRegion both = region(windowed);
    windowed.to(SETUP, PRECOPY);
    windowed.steps(10);
    put(both, 52, DmaWindow.ADDRESS);
    put(both, 60, 64);
    long pending = windowed.device.pending(0).total();
    assertThat(get(both, 68)).isEqualTo(64);
    assertThat(get(both, 36)).isEqualTo(76);
    assertThat(get(both, 44)).isEqualTo(8);
    long bitmap = both.read(76, 8).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    assertThat(Long.bitCount(bitmap)).isEqualTo(30);
    assertThat(windowed.device.pending(0).total()).as("no chunk was staged").isEqualTo(pending);
    // the range is read again: nothing has become dirty since
    assertThat(get(both, 68)).isZero();
    assertThat(get(both, 36)).isEqualTo(76);
    assertThat(get(both, 44)).as("a chunk now").isGreaterThan(4096);
  }

  @Test
  void copiedMayBeReadInHalves(@TempDir Path directory) throws Exception {
    ModelFixture windowed = windowed(directory);
    MigrationRegion halves = region(windowed);
    windowed.to(SETUP);
    windowed.steps(3);
    put(halves, 52, DmaWindow.ADDRESS);
    put(halves, 60, 64);
    assertThat(readHalves(halves, 68)).isEqualTo(64);
    assertThat(windowed.device.status().dirtyWindowPages()).isZero();
  }

  @Test
  void aRangeOutsideTheWindowIsRefused(@TempDir Path directory) throws Exception {
    ModelFixture windowed = windowed(directory);
    MigrationRegion outside = region(windowed);
    windowed.to(SETUP);
    put(outside, 52, DmaWindow.ADDRESS);
    put(outside, 60, 65);
    refused(() -> get(outside, 68));
    windowed.to(FAILED, RUNNING);
    put(outside, 60, 64);
    refused(() -> get(outside, 68));
  }

  @Test
  void aWholeMigrationThroughRegistersAlone() throws RefusalException {
    ModelFixture other = ModelFixture.small().to(RESUME);
    MigrationRegion into = region(other);
    setState(2);
    setState(4);
    while (get(36) == 76 && get(44) > 0) {
      int size = (int) get(44);
      // anywhere behind the registers will do
      long at = 76 + (AREA - size) / 2;
      into.beforeWrite(at, size).put(region.read(76, size));
      put(into, 36, at);
      put(into, 44, size);
    }
    other.to(RESUME_COMPLETED, RUNNING);
    assertThat(other.device.claim().complete().ok()).isTrue();
  }

  private static ModelFixture windowed(Path directory) throws IOException {
    DmaWindow window = DmaWindow.open("ring", directory.resolve("ring"), 64 * 4096, 4096);
    ModelFixture fixture = new ModelFixture(1 << 20, AREA, window, 3);
    fixture.device.powerOn();
    return fixture;
  }

  private static MigrationRegion region(ModelFixture fixture) {
    return new MigrationRegion(
        fixture.device, RegionMemory.trapped(AREA), fixture.faults, fixture.log.log());
  }

  private long sum() throws RefusalException {
    return get(4) + get(12) + get(20);
  }

  private void setState(int wire) throws RefusalException {
    ByteBuffer bytes = region.beforeWrite(0, 4);
    region.written(0, bytes.putInt(0, wire));
  }

  private long get(int offset) throws RefusalException {
    return get(region, offset);
  }

  private static long get(MigrationRegion region, int offset) throws RefusalException {
    return region.read(offset, 8).order(ByteOrder.nativeOrder()).getLong(0);
  }

  private void put(int offset, long value) throws RefusalException {
    put(region, offset, value);
  }

  private static void put(MigrationRegion region, int offset, long value) throws RefusalException {
    ByteBuffer bytes = region.beforeWrite(offset, 8);
    region.written(offset, bytes.putLong(0, value));
  }

  private long readHalves(int offset) throws RefusalException {
    return readHalves(region, offset);
  }

  private static long readHalves(MigrationRegion region, int offset) throws RefusalException {
    ByteBuffer whole = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
    whole.put(region.read(offset, 4)).put(region.read(offset + 4L, 4));
    return whole.getLong(0);
  }

  private void writeHalves(int offset, long value) throws RefusalException {
    writeHalves(region, offset, value);
  }

  private static void writeHalves(MigrationRegion region, int offset, long value)
      throws RefusalException {
    ByteBuffer whole = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(0, value);
    for (int half = 0; half < 8; half += 4) {
      ByteBuffer bytes = region.beforeWrite(offset + half, 4);
      region.written(offset + half, bytes.putInt(0, whole.getInt(half)));
    }
  }

  private static void refused(ThrowingCallable call) {
    assertThatExceptionOfType(RefusalException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(22));
  }
}
