package dev.vfio.migration.sandbox.lab;

import java.io.IOException;

/**
 * A guest's CLOCK_REALTIME against this machine's, as precisely as a question and its answer allow.
 *
 * @param aheadNanos how much further the guest's clock is, at the middle of question and answer
 * @param doubtNanos how much more or less it may be
 */
record GuestClock(long aheadNanos, long doubtNanos) {

  static GuestClock of(GuestNode node) throws IOException, InterruptedException {
    GuestClock best = null;
    for (int i = 0; i < 3; i++) {
      long asked = hostNanos();
      long guest = Long.parseLong(node.run("date +%s%N").get(0).strip());
      long answered = hostNanos();
      GuestClock measured =
          new GuestClock(guest - asked / 2 - answered / 2, (answered - asked) / 2);
      if (best == null || measured.doubtNanos < best.doubtNanos) {
        best = measured;
      }
    }
    return best;
  }

  /** Throws where the one certainly did not come before the other. */
  static void requireBefore(GuestNode one, long oneNanos, GuestNode other, long otherNanos)
      throws IOException, InterruptedException {
    GuestClock left = of(one);
    GuestClock right = of(other);
    long gap = otherNanos - right.aheadNanos - (oneNanos - left.aheadNanos);
    if (gap + left.doubtNanos + right.doubtNanos < 0) {
      throw new IOException(
          "both devices worked: that of %s stopped %.1f ms after that of %s began (clocks known to %.1f ms)"
              .formatted(
                  one.name(),
                  -gap / 1e6,
                  other.name(),
                  (left.doubtNanos + right.doubtNanos) / 1e6));
    }
  }

  private static long hostNanos() {
    java.time.Instant now = java.time.Instant.now();
    return now.getEpochSecond() * 1_000_000_000L + now.getNano();
  }
}
