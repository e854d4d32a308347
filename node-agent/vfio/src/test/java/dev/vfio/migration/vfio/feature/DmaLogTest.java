package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.device.DeviceSteps.failureOf;
import static dev.vfio.migration.vfio.device.DeviceSteps.lead;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.PAGE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.STATE;
import static dev.vfio.migration.vfio.feature.DeviceUnderTest.source;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DeviceSteps;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Dirty pages come from the device's log where it keeps one, and are all pages where not. */
class DmaLogTest {
  private static final long IOVA = 0x10_0000_0000L;
  private static final long FIRST = IOVA / PAGE;
  private static final long PAGES = 1000;

  private final DriverModel model = DriverModel.ofAll().holding(STATE);
  private final List<String> runs = new ArrayList<>();

  private FeatureV2 open(DriverModel driver) throws DeviceException {
    return FeatureV2.open(
        DeviceSteps.ID, driver, DeviceUnderTest.DRIVER, PAGE, MigrationEnd.SOURCE, false);
  }

  private FeatureV2 watching(DriverModel driver) throws DeviceException {
    FeatureV2 device = open(driver);
    device.watchMemory(List.of(new MemoryRange(IOVA, PAGES * PAGE)));
    lead(device, DeviceState.SETUP);
    return device;
  }

  private long ask(FeatureV2 device, long pages) throws DeviceException {
    runs.clear();
    return device.dirtyPages(
        IOVA, pages, (iova, count) -> runs.add((iova - IOVA) / PAGE + "+" + count));
  }

  private DeviceException allDirty(FeatureV2 device, long pages) {
    DeviceException failure = failureOf(Kind.READ_FAILED, () -> ask(device, pages));
    assertThat(failure).hasMessageContaining("copy all its memory");
    assertThat(runs).containsExactly("0+" + pages);
    return failure;
  }

  @Test
  void eachReportHasWhatWasWrittenSinceTheLast() throws DeviceException {
    FeatureV2 device = watching(model);
    assertThat(model.logOn()).isTrue();
    assertThat(ask(device, PAGES)).isZero();
    model.writes(FIRST, FIRST + 1, FIRST + 63, FIRST + 64, FIRST + 999, FIRST + 1000);
    assertThat(ask(device, PAGES)).isEqualTo(5);
    assertThat(runs).containsExactly("0+2", "63+2", "999+1");
    assertThat(ask(device, PAGES)).isZero();
  }

  @Test
  void theLogGoesOnIntoTheStopWindowAndEndsWithTheMigration() throws DeviceException {
    FeatureV2 device = watching(model);
    lead(device, DeviceState.PRECOPY, DeviceState.STOPNCOPY);
    model.writes(FIRST + 7);
    assertThat(ask(device, PAGES)).isEqualTo(1);
    lead(device, DeviceState.SAVE_COMPLETED);
    assertThat(model.logOn()).isFalse();
    allDirty(device, PAGES);
  }

  @Test
  void everyWayBackStopsTheLog() throws DeviceException {
    for (DeviceState exit : List.of(DeviceState.FAILED, DeviceState.CANCELLED)) {
      DriverModel driver = DriverModel.ofAll().holding(STATE);
      FeatureV2 device = watching(driver);
      lead(device, DeviceState.PRECOPY, exit, DeviceState.RUNNING);
      assertThat(driver.logOn()).isFalse();
      lead(device, DeviceState.SETUP);
      assertThat(driver.logOn()).as("a second attempt logs again").isTrue();
    }
  }

  @Test
  void aLargeRangeIsAskedForInPieces() throws DeviceException {
    FeatureV2 device = open(model);
    long pages = (64L << 10) * 8 * 2 + 3;
    device.watchMemory(List.of(new MemoryRange(IOVA, pages * PAGE)));
    lead(device, DeviceState.SETUP);
    model.trace();
    model.writes(FIRST + (64 << 10) * 8 - 1, FIRST + (64 << 10) * 8, FIRST + pages - 1);
    assertThat(ask(device, pages)).isEqualTo(3);
    assertThat(runs).containsExactly("524287+2", "1048578+1");
    assertThat(model.trace()).containsExactly("report 524288", "report 524288", "report 3");
  }

  @Test
  void aLogThatIsPromisedAndRefusedIsNoFailureOfSetup() throws DeviceException {
    model.refusing(6, DriverModel.ENOMEM);
    FeatureV2 device = watching(model);
    assertThat(device.description().dirtyPageTracking()).isTrue();
    assertThat(device.state()).isEqualTo(DeviceState.SETUP);
    DeviceException failure = allDirty(device, PAGES);
    assertThat(failure.errno()).isEqualTo(DriverModel.ENOMEM);
    assertThat(failure).hasMessageContaining("refused to start it with ENOMEM");
    lead(device, DeviceState.PRECOPY, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.trace()).doesNotContain("log stop");
  }

  @Test
  void withoutALogNothingIsAskedFor() throws DeviceException {
    model.refusing(6, DriverModel.ENOTTY);
    FeatureV2 device = watching(model);
    assertThat(allDirty(device, PAGES)).hasMessageContaining("offers no log");
    assertThat(model.trace()).isEmpty();
  }

  @Test
  void withoutMemoryToWatchNoLogIsStarted() throws DeviceException {
    FeatureV2 device = open(model);
    lead(device, DeviceState.SETUP);
    assertThat(model.trace()).isEmpty();
    assertThat(allDirty(device, PAGES)).hasMessageContaining("no memory was named");
  }

  @Test
  void memoryThatIsNotWatchedIsDirty() throws DeviceException {
    FeatureV2 device = watching(model);
    assertThat(allDirty(device, PAGES + 1)).hasMessageContaining("does not cover");
    assertThat(ask(device, PAGES)).isZero();
  }

  @Test
  void aReportThatFailsIsCompleteAllTheSame() throws DeviceException {
    FeatureV2 device = watching(model);
    model.refusing(8, 5);
    DeviceException failure = allDirty(device, PAGES);
    assertThat(failure.errno()).isEqualTo(5);
  }

  /** So does a kernel that was built without iommufd, whatever its driver offers. */
  @Test
  void aLogThatStartsAndNeverReportsIsNoFailureOfTheMigration() throws DeviceException {
    model.refusing(8, 95);
    FeatureV2 device = watching(model);
    lead(device, DeviceState.PRECOPY);
    assertThat(allDirty(device, PAGES)).hasMessageContaining("EOPNOTSUPP");
    lead(device, DeviceState.STOPNCOPY);
    allDirty(device, PAGES);
    lead(device, DeviceState.SAVE_COMPLETED);
    assertThat(model.logOn()).isFalse();
  }

  @Test
  void aLogThatAnotherAgentLeftIsStoppedBeforeTheNext() throws DeviceException {
    watching(model);
    FeatureV2 again = source(model);
    again.watchMemory(List.of(new MemoryRange(IOVA, PAGES * PAGE)));
    model.trace();
    lead(again, DeviceState.SETUP);
    assertThat(model.trace()).containsExactly("log stop", "log start");
    assertThat(ask(again, PAGES)).isZero();
  }

  @Test
  void aLogThatAnotherAgentLeftIsStoppedOnTheWayBack() throws DeviceException {
    FeatureV2 device = watching(model);
    lead(device, DeviceState.PRECOPY);
    device.close();
    lead(source(model), DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.logOn()).isFalse();
  }

  @Test
  void aLogThatRefusesToStopHoldsNobodyUpAndIsStoppedLater() throws DeviceException {
    FeatureV2 device = watching(model);
    model.refusing(7, 5);
    lead(device, DeviceState.FAILED, DeviceState.RUNNING);
    assertThat(model.logOn()).isTrue();
    model.healed();
    model.trace();
    lead(device, DeviceState.SETUP);
    assertThat(model.trace()).containsExactly("log stop", "log start");
  }

  @Test
  void aDeviceThatIsLostWhileTheLogStartsIsUnreachable() throws DeviceException {
    FeatureV2 device = open(model);
    device.watchMemory(List.of(new MemoryRange(IOVA, PAGES * PAGE)));
    model.lost(Reason.UNREACHABLE, DriverModel.ENODEV);
    failureOf(Kind.UNREACHABLE, () -> device.transition(DeviceState.SETUP));
    assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
  }

  @Test
  void moreRangesThanTheKernelTakesAreJoined() throws DeviceException {
    FeatureV2 device = open(model);
    List<MemoryRange> ranges = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      ranges.add(new MemoryRange(IOVA + (long) i * 4 * PAGE, PAGE));
    }
    device.watchMemory(ranges);
    lead(device, DeviceState.SETUP);
    assertThat(model.logOn()).isTrue();
    assertThat(model.logRanges()).hasSize(256);
    assertThat(ask(device, 1)).isZero();
  }

  @Test
  void whatIsNoRangeOfPagesIsRefused() throws DeviceException {
    FeatureV2 device = watching(model);
    assertThatThrownBy(() -> device.dirtyPages(IOVA + 1, 1, (iova, pages) -> {}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> device.dirtyPages(IOVA, 0, (iova, pages) -> {}))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
