package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.FencingStore;
import dev.vfio.migration.agent.machine.Reason;
import java.io.IOException;

/**
 * Lets only the newest leader command this agent. Numbers are unsigned. Safe for use by several
 * threads.
 */
public final class Fencing {
  private final FencingStore store;
  private volatile long highest;

  /**
   * @throws IOException where the number of earlier runs cannot be read; the agent must not serve
   *     then
   */
  public Fencing(FencingStore store) throws IOException {
    this.store = store;
    this.highest = store.read();
  }

  /** Does not wait for a number that is being made durable. */
  public long highest() {
    return highest;
  }

  /**
   * Makes a number durable that is higher than all seen before, before the first command that
   * carries it. Commands of the leader there was until now do not wait for that.
   *
   * @throws Refusal as {@link #check} has it; JOURNAL_FAILED where it cannot be made durable
   */
  void admit(long number) throws Refusal {
    check(number);
    if (number != highest) {
      raise(number);
    }
  }

  /**
   * Lets a command pass whose number was {@link #admit admitted}. Does no I/O.
   *
   * @throws Refusal STALE_FENCING_NUMBER where a higher one was seen, also since it was admitted
   */
  void check(long number) throws Refusal {
    if (Long.compareUnsigned(number, highest) < 0) {
      throw new Refusal(
          Reason.STALE_FENCING_NUMBER,
          String.format(
              "the command carries fencing number %s and this agent has seen %s: another operator"
                  + " leads now. Nothing was done.",
              Long.toUnsignedString(number), Long.toUnsignedString(highest)));
    }
  }

  private synchronized void raise(long number) throws Refusal {
    check(number);
    if (number != highest) {
      try {
        store.write(number);
      } catch (IOException problem) {
        throw new Refusal(
            Reason.JOURNAL_FAILED,
            String.format(
                "the fencing number %s cannot be made durable, so nothing was done: %s Repeat"
                    + " the command then.",
                Long.toUnsignedString(number), problem.getMessage()));
      }
      highest = number;
    }
  }
}
