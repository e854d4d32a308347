package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Looks again and again at what cannot call back. Bounded. */
final class Waiting {
  private Waiting() {}

  /** May be asked often; each look costs a guest time. */
  @FunctionalInterface
  interface Look {
    boolean done() throws IOException, InterruptedException;
  }

  /**
   * Waits until the look says so.
   *
   * @throws IOException where it did not in time; the message names {@code what}
   */
  static void until(String what, Duration bound, Duration between, Look look)
      throws IOException, InterruptedException {
    CountDownLatch never = new CountDownLatch(1);
    long deadline = System.nanoTime() + bound.toNanos();
    while (!look.done()) {
      if (System.nanoTime() - deadline > 0) {
        throw new IOException("waited %d s in vain: %s".formatted(bound.toSeconds(), what));
      }
      // Nobody counts it down: it is a pause that an interrupt ends.
      if (never.await(between.toNanos(), TimeUnit.NANOSECONDS)) {
        return;
      }
    }
  }
}
