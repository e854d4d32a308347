package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SessionFeedRulesTest {
  private static final SessionKey KEY = new SessionKey("m", 1);
  private static final long INTERVAL_NANOS = 200_000_000L;

  private long now;
  private int woken;
  private final List<Runnable> later = new ArrayList<>();
  private final SessionFeed feed =
      new SessionFeed(
          Duration.ofNanos(INTERVAL_NANOS), () -> now, (delay, task) -> later.add(task));

  private void report(SessionState state, long bytes) {
    Progress progress = new Progress(PendingBytes.NOTHING, 0, bytes, 0, 0, 0, 0, 0, 0, false);
    feed.changed(
        null,
        new SessionSnapshot(
            KEY, "default/m", state, "d", DeviceState.PRECOPY, progress, null, false, false));
  }

  private static long bytes(SessionFeed.Report report) {
    return report.session().progress().deviceStateBytes();
  }

  @Test
  void aWatcherBeginsWithEverySession() {
    report(SessionState.SOURCE_PRECOPY, 1);
    var watcher = feed.subscribe(() -> woken++);
    assertThat(bytes(watcher.next())).isEqualTo(1);
    assertThat(watcher.next()).isNull();
  }

  @Test
  void aChangeOfStateIsReportedAtOnceAndProgressFiveTimesASecondAtMost() {
    var watcher = feed.subscribe(() -> woken++);
    report(SessionState.SOURCE_PRECOPY, 1);
    assertThat(woken).isEqualTo(1);
    assertThat(bytes(watcher.next())).isEqualTo(1);
    for (int count = 2; count < 100; count++) {
      now += 1000;
      report(SessionState.SOURCE_PRECOPY, count);
    }
    assertThat(woken).isEqualTo(1);
    report(SessionState.SOURCE_STOPNCOPY, 100);
    assertThat(woken).isEqualTo(2);
    assertThat(bytes(watcher.next())).isEqualTo(100);
  }

  /** A new leader learns from it how long the workload stands still, by nobody's time of day. */
  @Test
  void howLongTheWorkloadHasBeenPausedIsReportedAsOfNow() {
    var watcher = feed.subscribe(() -> woken++);
    now = -50;
    report(SessionState.SOURCE_PRECOPY, 1);
    assertThat(watcher.next().pausedNanos()).isZero();
    now = 100;
    report(SessionState.SOURCE_STOPNCOPY, 1);
    now = 300;
    assertThat(watcher.next().pausedNanos()).isEqualTo(200);
    report(SessionState.SOURCE_AWAITING_DECISION, 1);
    now = 1100;
    assertThat(feed.subscribe(() -> woken++).next().pausedNanos()).isEqualTo(1000);
    assertThat(ContractMapping.session(feed.latest(KEY), "i").getPausedNanos()).isEqualTo(1000);
    report(SessionState.SOURCE_ROLLING_BACK, 1);
    assertThat(feed.latest(KEY).pausedNanos()).isZero();
  }

  @Test
  void theLastProgressIsNeverHeldBackForGood() {
    var watcher = feed.subscribe(() -> woken++);
    report(SessionState.SOURCE_PRECOPY, 1);
    report(SessionState.SOURCE_PRECOPY, 2);
    report(SessionState.SOURCE_PRECOPY, 3);
    assertThat(later).hasSize(1);
    now += INTERVAL_NANOS;
    later.get(0).run();
    assertThat(bytes(watcher.next())).isEqualTo(3);
  }

  @Test
  void aSlowWatcherGetsTheLatestOnlyAndRevisionsRise() {
    var watcher = feed.subscribe(() -> woken++);
    report(SessionState.SOURCE_PRECOPY, 1);
    report(SessionState.SOURCE_STOPNCOPY, 2);
    report(SessionState.SOURCE_AWAITING_DECISION, 3);
    SessionFeed.Report latest = watcher.next();
    assertThat(latest.session().state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
    assertThat(latest.revision()).isEqualTo(3);
    assertThat(watcher.next()).isNull();
  }

  @Test
  void whoLeftIsNotWokenAndWhatWasRemovedIsNotShown() {
    var watcher = feed.subscribe(() -> woken++);
    watcher.close();
    report(SessionState.SOURCE_PRECOPY, 1);
    assertThat(woken).isZero();
    var another = feed.subscribe(() -> woken++);
    feed.removed(KEY);
    assertThat(another.next()).isNull();
    assertThat(feed.latest(KEY)).isNull();
  }
}
