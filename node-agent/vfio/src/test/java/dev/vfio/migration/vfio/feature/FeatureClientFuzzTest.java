package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DeviceWalk;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.LyingAnswers;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.util.BitSet;
import java.util.List;
import java.util.Set;

/**
 * A driver of the v2 interface may answer anything: no call succeeds where the driver's own words
 * say otherwise, and no data file is left open.
 */
class FeatureClientFuzzTest {
  private static final int PAGE = 4096;

  @FuzzTest(maxDuration = "1h")
  void aDriverIsBelievedAsFarAsItShowsIt(FuzzedDataProvider data) {
    MigrationEnd end = data.pickValue(MigrationEnd.values());
    boolean adopted = data.consumeBoolean();
    LyingFeatures driver = new LyingFeatures(new LyingAnswers(data));
    try {
      driver.forget();
      FeatureV2 device = FeatureV2.open("d", driver, DriverProfile.NONE, PAGE, end, adopted);
      Judge judge = new Judge(driver, end);
      judge.wasReset(device.state());
      device.watchMemory(List.of(new MemoryRange(0, 1L << 30)));
      new DeviceWalk(device, end, judge, data).go(true);
    } catch (DeviceException refused) {
      DeviceWalk.requirePlain(refused);
    }
    assertThat(driver.openFiles()).isZero();
  }

  private static final class Judge implements DeviceWalk.Judge {
    private final LyingFeatures driver;
    private final MigrationEnd end;

    Judge(LyingFeatures driver, MigrationEnd end) {
      this.driver = driver;
      this.end = end;
    }

    private static Set<Integer> positions(DeviceState state) {
      return switch (state) {
        case RUNNING, SETUP -> Set.of(2);
        case PRECOPY -> Set.of(6);
        case STOPNCOPY -> Set.of(3);
        case SAVE_COMPLETED, RESUME_COMPLETED -> Set.of(1);
        case RESUME -> Set.of(4);
        case NONE, FAILED, CANCELLED -> Set.of(0, 1, 2, 3, 4, 5, 6, 7);
      };
    }

    /** A driver that reports nothing, by EINVAL, has a device that runs. */
    private void requireAt(Set<Integer> positions) {
      Integer told = driver.toldState();
      assertThat(positions).contains(told == null ? Integer.valueOf(2) : told);
    }

    @Override
    public void begins() {
      driver.forget();
    }

    @Override
    public void abandons() {
      driver.abandon();
    }

    @Override
    public void changed(DeviceState before, DeviceState target) {
      if (driver.accessesToState() == 0) {
        assertThat(target).isIn(before, DeviceState.FAILED, DeviceState.CANCELLED);
      } else {
        requireAt(positions(target));
      }
      if (target == DeviceState.RESUME || target == DeviceState.STOPNCOPY) {
        assertThat(driver.openFiles()).isLessThanOrEqualTo(1);
      } else if (target != DeviceState.PRECOPY) {
        assertThat(driver.openFiles()).isZero();
      }
    }

    @Override
    public void isLoaded() {
      requireAt(Set.of(1, 5));
    }

    @Override
    public void isUnchanged(DeviceState state) {
      switch (state) {
        case PRECOPY -> requireAt(Set.of(6, 7));
        case STOPNCOPY -> requireAt(Set.of(3, 1));
        case RESUME_COMPLETED -> requireAt(Set.of(1, 5));
        case NONE, RUNNING, SETUP, SAVE_COMPLETED, RESUME, FAILED, CANCELLED ->
            requireAt(positions(state));
      }
    }

    @Override
    public void pends(DeviceState state, PendingBytes pending) {
      if (state == DeviceState.STOPNCOPY && pending.total() == 0) {
        assertThat(driver.toldTheEnd()).as("the end was told").isTrue();
      }
    }

    @Override
    public void read(byte[] bytes) {
      assertThat(bytes).isEqualTo(driver.handedOut());
    }

    @Override
    public void took(byte[] bytes) {
      assertThat(driver.takenIn()).isEqualTo(bytes);
    }

    @Override
    public void reported(int pages, BitSet dirty) {
      assertThat(driver.logs()).isTrue();
      assertThat(dirty).isEqualTo(driver.toldDirty());
    }

    @Override
    public void wasReset(DeviceState state) {
      switch (state) {
        case FAILED -> requireAt(Set.of(0));
        case RUNNING -> requireAt(Set.of(2));
        case SETUP -> requireAt(Set.of(5));
        case PRECOPY -> requireAt(Set.of(6, 7));
        case STOPNCOPY -> requireAt(end == MigrationEnd.SOURCE ? Set.of(1, 3) : Set.of(3));
        case RESUME -> requireAt(Set.of(4));
        case RESUME_COMPLETED -> {
          assertThat(end).isEqualTo(MigrationEnd.DESTINATION);
          requireAt(Set.of(1, 5));
        }
        case NONE, SAVE_COMPLETED, CANCELLED -> throw new AssertionError(state);
      }
    }
  }
}
