package dev.vfio.migration.vfio.kernel;

import static dev.vfio.migration.vfio.linux.TestFiles.bytes;
import static dev.vfio.migration.vfio.linux.TestFiles.room;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Host;
import dev.vfio.migration.vfio.linux.TestFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Of a region only whole pages inside it are mapped; file and region offsets are kept apart. */
class MappedAreaTest {
  private static final int PAGE = Host.pageSize();
  private static final long BASE = 2L * PAGE;
  private static final long SIZE = 8L * PAGE;

  private final DriverFile device = TestFiles.memory("device", BASE + SIZE);

  @AfterEach
  void close() {
    device.close();
  }

  private static RegionInfo region(long size, long base) {
    return new RegionInfo(9, true, true, true, size, base, 0, ByteBuffer.allocate(32));
  }

  private Optional<MappedArea> map(long offset, long size) {
    return MappedArea.of(device, region(SIZE, BASE), new RegionPart(offset, size), PAGE);
  }

  @Test
  void anAreaLiesBehindTheRegionsPlaceInTheFile() throws IOException {
    MappedArea area = map(PAGE, 2L * PAGE).orElseThrow();
    device.writeAt(BASE + PAGE + 5, bytes(3, 4));
    ByteBuffer got = room(2);
    area.read(PAGE + 5, got);
    assertThat(got.flip()).isEqualTo(bytes(3, 4));
    area.write(3L * PAGE - 1, bytes(9));
    ByteBuffer back = room(1);
    device.readAt(BASE + 3L * PAGE - 1, back);
    assertThat(back.get(0)).isEqualTo((byte) 9);
    assertThatThrownBy(() -> area.read(PAGE - 1, room(1)))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> area.write(3L * PAGE - 1, bytes(1, 1)))
        .isInstanceOf(IndexOutOfBoundsException.class);
    area.mapping().close();
  }

  @Test
  void aLargeRegionIsMappedAndOnlyWhatIsTouchedTakesMemory() throws IOException {
    long size = 1L << 30;
    try (DriverFile large = TestFiles.memory("large-device", BASE + size)) {
      MappedArea area =
          MappedArea.of(large, region(size, BASE), new RegionPart(0, size), PAGE).orElseThrow();
      area.write(size - 3, bytes(7, 8, 9));
      ByteBuffer across = room(3 << 20);
      area.read((64L << 20) - PAGE, across);
      assertThat(across.position()).isEqualTo(3 << 20);
      ByteBuffer end = room(3);
      large.readAt(BASE + size - 3, end);
      assertThat(end.flip()).isEqualTo(bytes(7, 8, 9));
      area.mapping().close();
    }
  }

  @Test
  void onlyTheWholePagesOfAPartAreMapped() {
    MappedArea area = map(76, 3L * PAGE).orElseThrow();
    assertThat(area.offset()).isEqualTo(PAGE);
    assertThat(area.size()).isEqualTo(2L * PAGE);
    area.mapping().close();
    assertThat(map(76, PAGE)).isEmpty();
    assertThat(map(76, PAGE - 76)).isEmpty();
  }

  @Test
  void whatIsNotInsideTheRegionIsNotMapped() {
    assertThat(map(SIZE, PAGE)).isEmpty();
    assertThat(map(SIZE - PAGE, 2L * PAGE)).isEmpty();
    assertThat(map(PAGE, Long.MAX_VALUE)).isEmpty();
    assertThat(map(-PAGE, PAGE)).isEmpty();
    RegionPart first = new RegionPart(0, PAGE);
    for (RegionInfo odd :
        new RegionInfo[] {
          region(SIZE, BASE + 1),
          region(SIZE, -BASE),
          region(-PAGE, BASE),
          region(SIZE, Long.MAX_VALUE / PAGE * PAGE)
        }) {
      assertThat(MappedArea.of(device, odd, first, PAGE)).as("%s", odd).isEmpty();
    }
  }

  @Test
  void whatTheDriverDoesNotMapAfterAllIsLeftOut() {
    try (TestFiles.Pipe pipe = TestFiles.pipe()) {
      RegionPart first = new RegionPart(0, PAGE);
      assertThat(MappedArea.of(pipe.reading(), region(SIZE, 0), first, PAGE)).isEmpty();
    }
  }

  @Test
  void aRegionThatShrankMakesItUnreachable() {
    MappedArea area = map(0, SIZE).orElseThrow();
    TestFiles.resize(device, BASE);
    AccessException failure =
        catchThrowableOfType(AccessException.class, () -> area.read(0, room(PAGE)));
    assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
    assertThat(failure).hasMessageContaining("the driver took away memory");
    area.mapping().close();
  }
}
