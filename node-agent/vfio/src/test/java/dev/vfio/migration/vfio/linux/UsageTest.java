package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** It is freed once, by the last user that leaves, and nobody begins to use it afterwards. */
@Timeout(120)
class UsageTest {
  private final AtomicInteger freed = new AtomicInteger();
  private final Usage usage = new Usage(freed::incrementAndGet);

  @Test
  void unusedItIsFreedAtOnceAndOnce() {
    usage.end();
    usage.end();
    assertThat(freed).hasValue(1);
    assertThatThrownBy(() -> usage.enter("use"))
        .hasMessage("use after it was closed here failed: EBADF (9)");
  }

  @Test
  void usedItIsFreedByTheLastWhoLetsGo() throws ErrnoException {
    usage.enter("use");
    usage.enter("use");
    usage.end();
    usage.leave();
    assertThat(freed).hasValue(0);
    usage.end();
    usage.leave();
    assertThat(freed).hasValue(1);
  }

  @Test
  void whoeverIsInsideWhileItEndsFindsItNotFreed() throws InterruptedException {
    for (int round = 0; round < 200; round++) {
      AtomicInteger ends = new AtomicInteger();
      AtomicInteger used = new AtomicInteger();
      Usage shared = new Usage(ends::incrementAndGet);
      CountDownLatch start = new CountDownLatch(1);
      Thread user =
          new Thread(
              () -> {
                try {
                  start.await();
                  while (true) {
                    shared.enter("use");
                    used.addAndGet(ends.get());
                    shared.leave();
                  }
                } catch (ErrnoException | InterruptedException end) {
                  assertThat(end).isInstanceOf(ErrnoException.class);
                }
              });
      user.start();
      start.countDown();
      shared.end();
      user.join();
      assertThat(ends).hasValue(1);
      assertThat(used).as("uses after it was freed").hasValue(0);
    }
  }
}
