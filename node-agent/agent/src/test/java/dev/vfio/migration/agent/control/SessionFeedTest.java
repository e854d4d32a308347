package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What a command is answered must fit what is reported. */
class SessionFeedTest {
  private final SessionFeed feed =
      new SessionFeed(Duration.ofSeconds(1), () -> 0, (delay, task) -> {});

  private static SessionSnapshot in(SessionState state) {
    return new SessionSnapshot(
        new SessionKey("move", 1),
        "default/move",
        state,
        "vfio-user:gpu-0",
        null,
        Progress.NONE,
        null,
        false,
        false);
  }

  /** A reply that is late must not stand under the revision of a state it does not show. */
  @Test
  void anAnswerCarriesTheSessionOfItsRevision() {
    SessionSnapshot activating = in(SessionState.DESTINATION_ACTIVATING);
    SessionSnapshot active = in(SessionState.DESTINATION_ACTIVE);
    feed.changed(null, activating);
    feed.changed(activating, active);
    assertThat(feed.answer(activating)).isEqualTo(new SessionFeed.Report(active, 2));
  }

  @Test
  void anAnswerOnWhatWasNeverReportedIsOlderThanAnyReport() {
    SessionSnapshot listening = in(SessionState.DESTINATION_LISTENING);
    assertThat(feed.answer(listening)).isEqualTo(new SessionFeed.Report(listening, 0));
  }
}
