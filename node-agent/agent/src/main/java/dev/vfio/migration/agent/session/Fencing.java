package dev.vfio.migration.agent.session;

import java.io.IOException;

/**
 * Lets only the newest leader command this agent. Numbers are unsigned. Safe for use by several
 * threads.
 */
public final class Fencing {
  private final FencingStore store;
  private long highest;

  /**
   * @throws IOException where the number of earlier runs cannot be read; the agent must not serve
   *     then
   */
  public Fencing(FencingStore store) throws IOException {
    this.store = store;
    this.highest = store.read();
  }

  public synchronized long highest() {
    return highest;
  }

  /**
   * Lets a command with that number pass.
   *
   * @throws Refusal STALE_FENCING_NUMBER where a higher one was seen; JOURNAL_FAILED where this one
   *     cannot be made durable
   */
  synchronized void check(long number) throws Refusal {
    int order = Long.compareUnsigned(number, highest);
    if (order < 0) {
      throw new Refusal(
          Reason.STALE_FENCING_NUMBER,
          "the command carries fencing number "
              + Long.toUnsignedString(number)
              + " and this agent has seen "
              + Long.toUnsignedString(highest)
              + ": another operator leads now. Nothing was done.");
    }
    if (order > 0) {
      try {
        store.write(number);
      } catch (IOException problem) {
        throw new Refusal(
            Reason.JOURNAL_FAILED,
            "the fencing number "
                + Long.toUnsignedString(number)
                + " cannot be made durable: "
                + problem.getMessage()
                + ". Nothing was done; make room in the journal directory and repeat the command.");
      }
      highest = number;
    }
  }
}
