package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.CollectedPages;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DirtyBitmap;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The dirty pages action, and that a report is complete even where it fails. */
class DirtyPagesTest {
  private static final int SIZE = 4096;
  private static final int PAGE = 4096;
  private static final long IOVA = 0x1_0000_0000L;

  private final RecordingAccess access = new RecordingAccess(SIZE);
  private final List<String> runs = new ArrayList<>();

  private Region2018 open() throws DeviceException {
    Region2018 device = Region2018.open("vfio-user:gpu-0", access, PAGE);
    access.accesses();
    return device;
  }

  private long ask(Region2018 device, long pages) throws DeviceException {
    return device.dirtyPages(
        IOVA, pages, (iova, count) -> runs.add((iova - IOVA) / PAGE + "+" + count));
  }

  private DeviceException failureOf(Region2018 device, long pages) {
    return catchThrowableOfType(DeviceException.class, () -> ask(device, pages));
  }

  @Test
  void oneTurnIsStartTotalCopiedOffsetAndTheBitmap() throws DeviceException {
    Region2018 device = open();
    access.answer(68, 20).answer(36, 100);
    access.memory().put(100, new byte[] {(byte) 0b1000_0001, 0b0000_0011, 0b0000_1000});

    assertThat(ask(device, 20)).isEqualTo(5);
    assertThat(runs).containsExactly("0+1", "7+3", "19+1");
    assertThat(access.accesses())
        .containsExactly("write 52/8", "write 60/8", "read 68/8", "read 36/8", "read 100/3");
    assertThat(access.memory().getLong(52)).isEqualTo(IOVA);
    assertThat(access.memory().getLong(60)).isEqualTo(20);
  }

  @Test
  void theRangeIsMovedOnBehindWhatWasCopied() throws DeviceException {
    Region2018 device = open();
    access.answer(68, 8, 12).answer(36, 100, 200);
    access.memory().put(100, new byte[] {(byte) 0b1000_0000}).put(200, new byte[] {1, 0});

    assertThat(ask(device, 20)).isEqualTo(2);
    assertThat(runs).as("neighbours are joined across turns").containsExactly("7+2");
    assertThat(access.accesses())
        .containsExactly(
            "write 52/8, write 60/8, read 68/8, read 36/8, read 100/1, write 52/8, write 60/8, read 68/8, read 36/8, read 200/2"
                .split(", "));
    assertThat(access.memory().getLong(52)).isEqualTo(IOVA + 8 * PAGE);
    assertThat(access.memory().getLong(60)).isEqualTo(12);
  }

  @Test
  void howTheDeviceCutsTheRangeMakesNoDifference() {
    Seeds.check(
        500,
        values ->
            cutMakesNoDifference(
                values.integer(1, 2000),
                values.seed(),
                values.integer(0, 100),
                values.integer(1, 700)));
  }

  private static void cutMakesNoDifference(int pages, long seed, int density, int mostCopied)
      throws DeviceException {
    BitSet dirty = CollectedPages.random(pages, seed, density);
    Random random = new Random(seed);
    RecordingAccess recording = new RecordingAccess(8192);
    Region2018 device = Region2018.open("vfio-user:gpu-0", recording, PAGE);
    int from = 0;
    int at = 76;
    while (from < pages) {
      int copied = Math.min(pages - from, 1 + random.nextInt(mostCopied));
      recording.answer(68, copied).answer(36, at);
      recording.memory().put(at, dirty.get(from, from + copied).toByteArray());
      at += (int) DirtyBitmap.bytesFor(copied);
      from += copied;
    }
    CollectedPages collected = new CollectedPages(PAGE);
    assertThat(device.dirtyPages(0, pages, collected)).isEqualTo(dirty.cardinality());
    assertThat(collected.pages()).isEqualTo(dirty);
  }

  @Test
  void nothingCopiedMeansThatNothingInTheRestIsDirty() throws DeviceException {
    Region2018 device = open();
    access.answer(68, 8, 0).answer(36, 100);
    access.memory().put(100, (byte) 1);
    assertThat(ask(device, 1000)).isEqualTo(1);
    assertThat(runs).containsExactly("0+1");
    assertThat(access.accesses()).endsWith("write 52/8", "write 60/8", "read 68/8");
  }

  @Test
  void aBitmapInADirectAreaIsReadThere() throws DeviceException {
    access.direct(1024, 1024);
    Region2018 device = open();
    access.answer(68, 8).answer(36, 1024);
    assertThat(ask(device, 8)).isZero();
    assertThat(access.accesses()).endsWith("direct read 1024/1");
  }

  @Test
  void aLargeBitmapIsReadInPieces() throws DeviceException {
    RecordingAccess large = new RecordingAccess(1 << 20);
    Region2018 device = Region2018.open("vfio-user:gpu-0", large, PAGE);
    large.accesses();
    long pages = 2L * 64 * 1024 * 8 + 8;
    large.answer(68, pages).answer(36, 4096);
    large.memory().put(4096 + 65535, (byte) 0x80).put(4096 + 65536, (byte) 1);
    large.memory().put(4096 + 131072, (byte) 0x80);
    assertThat(ask(device, pages)).isEqualTo(3);
    assertThat(runs).containsExactly("524287+2", "1048583+1");
    assertThat(large.accesses()).endsWith("read 4096/65536", "read 69632/65536", "read 135168/1");
  }

  @Test
  void moreCopiedThanWasAskedForMakesTheRestDirtyAndFails() throws DeviceException {
    for (long copied : new long[] {13, Long.MAX_VALUE, -1}) {
      RecordingAccess fresh = new RecordingAccess(SIZE);
      runs.clear();
      Region2018 device = Region2018.open("vfio-user:gpu-0", fresh, PAGE);
      fresh.answer(68, 8, copied).answer(36, 100);
      fresh.memory().put(100, (byte) 0b0100_0000);
      DeviceException failure = failureOf(device, 20);
      assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
      assertThat(failure)
          .hasMessageContainingAll(
              Long.toUnsignedString(copied) + " pages (dirty_pfns.copied)",
              "12 were asked for (dirty_pfns.total)",
              "reported dirty");
      assertThat(runs).containsExactly("6+1", "8+12");
    }
  }

  @Test
  void aBitmapOutsideTheRegionMakesTheRestDirtyAndFails() throws DeviceException {
    for (long offset : new long[] {0, 75, SIZE - 1, SIZE, -8}) {
      RecordingAccess fresh = new RecordingAccess(SIZE);
      runs.clear();
      Region2018 device = Region2018.open("vfio-user:gpu-0", fresh, PAGE);
      fresh.accesses();
      fresh.answer(68, 16).answer(36, offset);
      DeviceException failure = failureOf(device, 20);
      assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
      assertThat(failure)
          .hasMessageContaining(
              "bitmap of 2 bytes at data.offset " + Long.toUnsignedString(offset));
      assertThat(fresh.accesses()).as("no size says that it is set later").endsWith("read 44/8");
      assertThat(runs).containsExactly("0+20");
    }
  }

  @Test
  void aBitBehindTheRangeMakesTheRestDirtyAndFails() throws DeviceException {
    Region2018 device = open();
    access.answer(68, 20).answer(36, 100);
    access.memory().put(102, (byte) 0b0001_0000);
    DeviceException failure = failureOf(device, 20);
    assertThat(failure.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    assertThat(failure).hasMessageContaining("marks pages behind the range");
    assertThat(runs).containsExactly("0+20");
  }

  @Test
  void aDeviceThatDoesNotLogSaysSoWithItsErrnoAndEverythingIsDirty() throws DeviceException {
    Region2018 device = open();
    access.fail("write 52/8", Reason.REFUSED, 95);
    DeviceException failure = failureOf(device, 20);
    assertThat(failure.kind()).isEqualTo(Kind.READ_FAILED);
    assertThat(failure.errno()).isEqualTo(95);
    assertThat(failure)
        .hasMessageContainingAll("EOPNOTSUPP (95)", "copy all its memory while it stands still");
    assertThat(runs).containsExactly("0+20");
  }

  @Test
  void aShortBitmapMakesTheRestDirtyAndFails() throws DeviceException {
    Region2018 device = open();
    access.answer(68, 1000).answer(36, 100);
    access.transferring(width -> width > 8 ? width / 2 : width);
    DeviceException failure = failureOf(device, 1000);
    assertThat(failure.kind()).isEqualTo(Kind.READ_FAILED);
    assertThat(failure).hasMessageContaining("short read of data: 62 of 125 bytes");
    assertThat(runs).containsExactly("0+1000");
  }

  @Test
  void whatIsNoRangeOfPagesIsTheCallersMistake() throws DeviceException {
    Region2018 device = open();
    long[][] ranges = {
      {IOVA, 0}, {IOVA, -1}, {IOVA + 1, 1}, {-PAGE, 2}, {0, Long.MAX_VALUE}, {-PAGE, 1L << 51}
    };
    for (long[] range : ranges) {
      assertThatThrownBy(() -> device.dirtyPages(range[0], range[1], (iova, pages) -> {}))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(access.accesses()).isEmpty();
    access.answer(68, 1).answer(36, 100);
    assertThat(device.dirtyPages(-PAGE, 1, (iova, pages) -> {}))
        .as("the very last page of the address space is one")
        .isZero();
  }
}
