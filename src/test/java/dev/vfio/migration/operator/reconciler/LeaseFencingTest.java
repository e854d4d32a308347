package dev.vfio.migration.operator.reconciler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.fake.LeaseServer;
import java.io.IOException;
import java.time.Instant;
import java.time.ZonedDateTime;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The fencing number rises with each leader, whatever any clock says, also of a new lease. */
class LeaseFencingTest {
  private LeaseServer server;

  @BeforeEach
  void start() throws IOException {
    server = new LeaseServer();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private long numberOf(String holder, ZonedDateTime clock) {
    server.write(holder, clock);
    return new LeaseFencing(server.client(), LeaseServer.NAMESPACE, LeaseServer.NAME, holder)
        .current();
  }

  @Test
  void risesWithEachLeaderAndEachLeaseWhateverTheClocksSay() {
    ZonedDateTime now = ZonedDateTime.now();
    long first = numberOf("a", now);
    long second = numberOf("b", now.minusYears(20));
    server.delete();
    long third = numberOf("a", now.minusYears(40));
    assertThat(first).isPositive();
    assertThat(second).isGreaterThan(first);
    assertThat(third).isGreaterThan(second);
  }

  /** Agents remember for good what a leader of an earlier release said. */
  @Test
  void isAboveAllNumbersOfEarlierReleases() {
    long latest = (Instant.parse("9999-12-31T23:59:59Z").getEpochSecond() << 20) + (1 << 20) - 1;
    assertThat(LeaseFencing.number("1")).isGreaterThan(latest);
    assertThat(LeaseFencing.number(Long.toString(1L << 59))).isPositive();
  }

  @Test
  void aVersionWithoutOrderGivesNoNumber() {
    for (String version : new String[] {"", "abc", "-1", "18446744073709551615"}) {
      assertThatThrownBy(() -> LeaseFencing.number(version))
          .as(version)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("no command is given");
    }
  }

  @Test
  void whoDoesNotHoldTheLeaseHasNone() {
    server.write("other", ZonedDateTime.now());
    LeaseFencing mine =
        new LeaseFencing(server.client(), LeaseServer.NAMESPACE, LeaseServer.NAME, "me");
    assertThatThrownBy(mine::current).hasMessageContaining("is not held by this replica");
    assertThat(mine.held()).isFalse();
  }
}
