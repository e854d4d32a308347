package dev.vfio.migration.sandbox.chaos;

import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongFunction;

/**
 * Searches the seeds from 0 on, as many as it is asked for, for the first one that breaks a rule.
 * Speaks of nothing but numbers and text: who asks may know other classes of the same names.
 */
public final class FirstViolation implements LongFunction<Long> {

  /** The seed; null where none of so many breaks a rule. */
  @Override
  public Long apply(long schedules) {
    AtomicLong next = new AtomicLong();
    AtomicLong found = new AtomicLong(schedules);
    AtomicReference<Throwable> broken = new AtomicReference<>();
    Thread[] threads = new Thread[Runtime.getRuntime().availableProcessors()];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> search(next, found), "search " + i);
      threads[i].setUncaughtExceptionHandler((thread, failure) -> broken.set(failure));
      threads[i].start();
    }
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the search was interrupted", interrupted);
    }
    if (broken.get() != null) {
      throw new IllegalStateException("the search itself failed", broken.get());
    }
    return found.get() == schedules ? null : found.get();
  }

  private static void search(AtomicLong next, AtomicLong found) {
    for (long seed = next.getAndIncrement(); seed < found.get(); seed = next.getAndIncrement()) {
      if (new Schedule(seed, Set.of()).run().violation().isPresent()) {
        found.accumulateAndGet(seed, Math::min);
      }
    }
  }
}
