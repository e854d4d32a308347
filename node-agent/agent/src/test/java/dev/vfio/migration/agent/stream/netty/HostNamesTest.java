package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A resolver that hangs keeps nobody waiting. */
class HostNamesTest {
  private static final Duration BOUND = Duration.ofSeconds(40);

  private final CountDownLatch release = new CountDownLatch(1);
  private final List<HostNames> opened = new ArrayList<>();

  @AfterEach
  void close() {
    release.countDown();
    opened.forEach(HostNames::close);
  }

  private HostNames names(HostNames.Resolver resolver, Duration limit) {
    HostNames names = new HostNames(resolver, limit);
    opened.add(names);
    return names;
  }

  private InetAddress hang(String host) throws UnknownHostException {
    try {
      assertThat(release.await(100, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
    throw new UnknownHostException(host);
  }

  private static void assertFails(CompletableFuture<InetSocketAddress> found, String message) {
    assertThat(found)
        .failsWithin(BOUND)
        .withThrowableOfType(ExecutionException.class)
        .withCauseInstanceOf(IOException.class)
        .withMessageContaining(message);
  }

  @Test
  void aNameThatIsNotFoundInTimeIsSaidToBeSo() {
    HostNames names = names(this::hang, Duration.ofMillis(50));
    assertFails(names.find("node-b.storage", 9444), "node-b.storage was not found within 50 ms");
  }

  @Test
  void lookUpsThatHangKeepNoMoreThreadsThanTheyMay() {
    HostNames names = names(this::hang, Duration.ofSeconds(100));
    for (int number = 0; number < HostNames.MAX_LOOKUPS; number++) {
      assertThat(names.find("hung-" + number, 1)).isNotDone();
    }
    assertFails(names.find("one-more", 1), "16 look-ups hang");
    assertThat(names.find("10.0.0.7", 9444))
        .as("an address needs none")
        .isCompletedWithValue(new InetSocketAddress("10.0.0.7", 9444));
  }

  @Test
  void addressesOfBothKindsAreNotLookedUp() {
    HostNames names =
        names(
            host -> {
              throw new AssertionError("asked for " + host);
            },
            BOUND);
    for (String address : List.of("127.0.0.1", "::1", "fd00::5", "[fd00::5]", "fe80::1%1")) {
      assertThat(names.find(address, 9444))
          .isCompletedWithValueMatching(found -> !found.isUnresolved() && found.getPort() == 9444);
    }
  }

  @Test
  void theFailureOfAnUnknownNameNamesIt() {
    HostNames names =
        names(
            host -> {
              throw new UnknownHostException(host);
            },
            BOUND);
    assertFails(names.find("no-such-host", 1), "no host of the name no-such-host is known");
  }

  @Test
  void aNameIsFound() {
    HostNames names = names(host -> InetAddress.getLoopbackAddress(), BOUND);
    assertThat(names.find("node-b.storage", 9444))
        .succeedsWithin(BOUND)
        .isEqualTo(new InetSocketAddress(InetAddress.getLoopbackAddress(), 9444));
  }
}
