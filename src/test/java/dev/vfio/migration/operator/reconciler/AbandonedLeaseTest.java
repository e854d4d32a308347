package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.vfio.migration.operator.fake.LeaseServer;
import dev.vfio.migration.operator.fake.SettableClock;
import java.io.IOException;
import java.time.Duration;
import java.time.ZonedDateTime;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A lease is free once nobody renews it, whatever time of day its last holder wrote into it. */
class AbandonedLeaseTest {
  private static final Duration LASTS = Duration.ofSeconds(15);

  private final SettableClock steady = new SettableClock();
  private LeaseServer server;
  private AbandonedLease lease;

  @BeforeEach
  void start() throws IOException {
    server = new LeaseServer();
    lease =
        new AbandonedLease(
            server.client(), LeaseServer.NAMESPACE, LeaseServer.NAME, "me", LASTS, steady);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void checkAfter(Duration time) {
    steady.shift(time);
    lease.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"PT0S", "PT1H", "PT-1H", "PT87600H"})
  void isFreedOnceItHasNotChangedForItsTime(Duration ahead) {
    server.write("other", ZonedDateTime.now().plus(ahead));
    lease.check();
    checkAfter(LASTS.minusSeconds(1));
    assertThat(server.holder()).isEqualTo("other");
    checkAfter(Duration.ofSeconds(2));
    assertThat(server.holder()).isEmpty();
  }

  @Test
  void isNotFreedWhileItIsRenewed() {
    for (int renewed = 0; renewed < 20; renewed++) {
      server.write("other", ZonedDateTime.now().minusYears(10));
      checkAfter(Duration.ofSeconds(14));
    }
    assertThat(server.holder()).isEqualTo("other");
  }

  @Test
  void isNotFreedWhenFirstReadHoweverOldItSaysItIs() {
    server.write("other", ZonedDateTime.now().minusYears(10));
    checkAfter(Duration.ofDays(1));
    assertThat(server.holder()).isEqualTo("other");
  }

  @Test
  void aLeaseOfItsOwnOrWithoutHolderIsLeftAlone() {
    server.write("me", ZonedDateTime.now());
    lease.check();
    checkAfter(Duration.ofHours(1));
    assertThat(server.holder()).isEqualTo("me");
    server.write("", ZonedDateTime.now());
    lease.check();
    checkAfter(Duration.ofHours(1));
    assertThat(server.holder()).isEmpty();
    server.delete();
    lease.check();
    checkAfter(Duration.ofHours(1));
  }

  /** Whoever looks again and again stops for good where a look throws. */
  @Test
  void aFaultOfOneCheckEndsNoOther() {
    server.write("other", ZonedDateTime.now());
    AbandonedLease faulty =
        new AbandonedLease(null, LeaseServer.NAMESPACE, LeaseServer.NAME, "me", LASTS, steady);
    assertThatCode(faulty::check).doesNotThrowAnyException();
  }

  @Test
  void anApiServerThatIsAwayIsAskedAgain() {
    server.write("other", ZonedDateTime.now());
    lease.check();
    server.stop();
    checkAfter(Duration.ofHours(1));
  }
}
