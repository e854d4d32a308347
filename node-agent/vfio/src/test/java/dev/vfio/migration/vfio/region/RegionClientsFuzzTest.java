package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DeviceWalk;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.LyingAnswers;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.util.BitSet;
import java.util.List;
import java.util.Set;

/**
 * A driver of a migration region may answer anything: nothing is read or written outside its data,
 * and no call succeeds where the driver's own words say otherwise.
 */
class RegionClientsFuzzTest {
  private static final int PAGE = 4096;

  @FuzzTest(maxDuration = "1h")
  void aDriverOf2018IsBelievedAsFarAsItShowsIt(FuzzedDataProvider data) {
    MigrationEnd end = data.pickValue(MigrationEnd.values());
    LyingRegion driver = new LyingRegion(new LyingAnswers(data), RegionFormat.OF_2018, 1);
    judged(
        data,
        end,
        driver,
        new JudgeOf2018(driver),
        () -> Region2018.open("d", driver, DriverProfile.NONE, PAGE));
  }

  @FuzzTest(maxDuration = "1h")
  void aDriverOfV1IsBelievedAsFarAsItShowsIt(FuzzedDataProvider data) {
    MigrationEnd end = data.pickValue(MigrationEnd.values());
    boolean adopted = data.consumeBoolean();
    LyingRegion driver = new LyingRegion(new LyingAnswers(data), RegionFormat.V1, 1);
    judged(
        data,
        end,
        driver,
        new JudgeOfV1(driver),
        () -> RegionV1.open("d", driver, DriverProfile.NONE, PAGE, end, adopted));
  }

  private interface Opening {
    MigratableDevice open() throws DeviceException;
  }

  private static void judged(
      FuzzedDataProvider data,
      MigrationEnd end,
      LyingRegion driver,
      RegionJudge judge,
      Opening opening) {
    try {
      driver.forget();
      MigratableDevice device = opening.open();
      judge.opened(device.state());
      driver.hasChunks(data.consumeInt(1, 3));
      new DeviceWalk(device, end, judge, data).go(judge instanceof JudgeOfV1);
    } catch (DeviceException refused) {
      DeviceWalk.requirePlain(refused);
    } finally {
      // The driver interrupts whoever waits for it.
      Thread.interrupted();
    }
  }

  /** What holds for both formats. */
  private abstract static class RegionJudge implements DeviceWalk.Judge {
    final LyingRegion driver;

    RegionJudge(LyingRegion driver) {
      this.driver = driver;
    }

    abstract void opened(DeviceState state);

    @Override
    public void begins() {
      driver.forget();
    }

    @Override
    public void abandons() {
      driver.abandon();
    }

    @Override
    public void read(byte[] bytes) {
      assertThat(driver.movedTooFew()).isFalse();
      assertThat(bytes).isEqualTo(driver.handedOut());
    }

    @Override
    public void took(byte[] bytes) {
      assertThat(driver.movedTooFew()).isFalse();
      assertThat(driver.takenIn()).isEqualTo(bytes);
    }

    @Override
    public void wasReset(DeviceState state) {
      opened(state);
    }
  }

  private static final class JudgeOf2018 extends RegionJudge {
    private boolean everTold;
    private boolean toldLoaded;

    JudgeOf2018(LyingRegion driver) {
      super(driver);
    }

    @Override
    void opened(DeviceState state) {
      Integer told = driver.toldState();
      assertThat(state.wireValue()).isEqualTo(told == null ? 0 : told);
      everTold = told != null;
      toldLoaded = state == DeviceState.RESUME_COMPLETED;
    }

    @Override
    public void changed(DeviceState before, DeviceState target) {
      Integer told = driver.toldState();
      Integer taken = driver.takenState();
      if (target == DeviceState.FAILED || target == DeviceState.CANCELLED) {
        assertThat(taken).isEqualTo(target.wireValue());
        toldLoaded = false;
        return;
      }
      if (told != null) {
        boolean cleanedUp = target == DeviceState.SAVE_COMPLETED && told == 0;
        assertThat(cleanedUp || told == target.wireValue()).as("%s: %s", target, told).isTrue();
      } else {
        assertThat(taken).isEqualTo(target.wireValue());
      }
      if (taken != null) {
        everTold |= told != null;
        toldLoaded = told != null && target == DeviceState.RESUME_COMPLETED;
      }
    }

    @Override
    public void isLoaded() {
      if (toldLoaded) {
        assertThat(driver.toldState()).isEqualTo(DeviceState.RESUME_COMPLETED.wireValue());
      }
    }

    @Override
    public void isUnchanged(DeviceState state) {
      if (everTold && driver.toldState() != null) {
        assertThat(driver.toldState()).isEqualTo(state.wireValue());
      }
    }

    @Override
    public void pends(DeviceState state, PendingBytes pending) {
      if (!driver.halved()) {
        assertThat(driver.toldPending())
            .containsExactly(pending.precopyOnly(), pending.compatible(), pending.postcopyOnly());
      }
    }

    @Override
    public void read(byte[] bytes) {
      super.read(bytes);
      if (bytes.length == 0 && !driver.halved()) {
        assertThat(driver.toldSize()).isZero();
      }
    }

    @Override
    public void reported(int pages, BitSet dirty) {
      assertThat(driver.answeredForTooMany()).isFalse();
      List<Long> copied = driver.toldCopied();
      byte[] bitmaps = driver.handedOut();
      long bytes = copied.stream().mapToLong(some -> (some + 7) / 8).sum();
      if (driver.halved() || bytes != bitmaps.length) {
        // What lay at the place before was looked at as well.
        return;
      }
      BitSet told = new BitSet(pages);
      int at = 0;
      int page = 0;
      for (long some : copied) {
        for (int bit = 0; bit < some; bit++) {
          told.set(page++, (bitmaps[at + bit / 8] >> bit % 8 & 1) != 0);
        }
        at += (int) ((some + 7) / 8);
      }
      assertThat(dirty).isEqualTo(told);
    }
  }

  private static final class JudgeOfV1 extends RegionJudge {
    JudgeOfV1(LyingRegion driver) {
      super(driver);
    }

    private static Set<Integer> positions(DeviceState state) {
      return switch (state) {
        case RUNNING, SETUP -> Set.of(1);
        case PRECOPY -> Set.of(3);
        case STOPNCOPY -> Set.of(2);
        case SAVE_COMPLETED -> Set.of(0);
        case RESUME -> Set.of(4);
        case RESUME_COMPLETED -> Set.of(0, 4);
        case NONE, FAILED, CANCELLED -> Set.of(0, 1, 2, 3, 4, 6);
      };
    }

    /** A driver that reports nothing, by EINVAL, has a device that runs. */
    private void requireAt(Set<Integer> positions) {
      Integer told = driver.toldState();
      assertThat(positions).contains(told == null ? 1 : told & 7);
    }

    @Override
    void opened(DeviceState state) {
      if (state == DeviceState.FAILED) {
        requireAt(Set.of(6));
      } else if (state == DeviceState.STOPNCOPY) {
        requireAt(Set.of(2, 0));
      } else {
        requireAt(positions(state));
      }
    }

    @Override
    public void changed(DeviceState before, DeviceState target) {
      if (driver.accessesToState() == 0) {
        assertThat(
                before == target || target == DeviceState.FAILED || target == DeviceState.CANCELLED)
            .isTrue();
      } else {
        requireAt(positions(target));
      }
    }

    @Override
    public void isLoaded() {
      requireAt(Set.of(0, 4));
    }

    @Override
    public void isUnchanged(DeviceState state) {
      requireAt(state == DeviceState.STOPNCOPY ? Set.of(0, 2) : positions(state));
    }

    @Override
    public void pends(DeviceState state, PendingBytes pending) {
      if (driver.toldPending().isEmpty()) {
        assertThat(pending).isEqualTo(PendingBytes.NOTHING);
        assertThat(state).isNotIn(DeviceState.PRECOPY, DeviceState.STOPNCOPY);
        return;
      }
      long told = driver.toldPending().get(0);
      assertThat(pending.precopyOnly() + pending.compatible() + pending.postcopyOnly())
          .isEqualTo(told);
      if (told == 0 && state == DeviceState.STOPNCOPY) {
        requireAt(Set.of(2));
      }
    }

    @Override
    public void read(byte[] bytes) {
      super.read(bytes);
      if (bytes.length == 0) {
        long pending = driver.toldPending().get(0);
        assertThat(pending == 0 || driver.toldSize() == 0).isTrue();
      }
    }

    @Override
    public void reported(int pages, BitSet dirty) {
      throw new AssertionError("v1 reports no pages");
    }
  }
}
