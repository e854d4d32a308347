package dev.vfio.migration.sandbox.chaos;

import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Runs schedules of faults until all held the handover's invariants or one broke them. Exits with 1
 * in the second case.
 */
@Command(name = "chaos")
public final class Chaos implements Callable<Integer> {
  private static final double NANOS = 1e9;

  @Option(names = "--schedules")
  private long schedules = 1000;

  @Option(names = "--seed")
  private long first;

  @Option(names = "--coverage")
  private boolean coverage;

  @Option(names = "--planted")
  private String planted;

  private final Map<Outcome, Long> outcomes = new EnumMap<>(Outcome.class);
  private Schedule violation;
  private Throwable broken;
  private long ran;

  public static void main(String[] arguments) {
    Locale.setDefault(Locale.ROOT);
    // What the operator's classes log of a hundred thousand migrations, nobody reads.
    Logger.getLogger("").setLevel(Level.OFF);
    System.exit(new CommandLine(new Chaos()).execute(arguments));
  }

  @Override
  public Integer call() throws InterruptedException, IOException {
    if (schedules < 1) {
      System.err.println("chaos: --schedules takes a number from 1");
      return 2;
    }
    if (planted != null) {
      return findPlanted();
    }
    long begin = System.nanoTime();
    AtomicLong next = new AtomicLong();
    Thread[] threads = new Thread[Runtime.getRuntime().availableProcessors()];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> search(next), "search " + i);
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (broken != null) {
      throw new IllegalStateException("the search itself failed", broken);
    }
    System.out.printf(
        "schedules=%d violations=%d committed=%d rolledBack=%d cancelled=%d waiting=%d"
            + " seconds=%.1f%n",
        ran,
        violation == null ? 0 : 1,
        outcomes.getOrDefault(Outcome.COMMITTED, 0L),
        outcomes.getOrDefault(Outcome.ROLLED_BACK, 0L),
        outcomes.getOrDefault(Outcome.CANCELLED, 0L),
        outcomes.getOrDefault(Outcome.WAITING, 0L),
        (System.nanoTime() - begin) / NANOS);
    if (coverage) {
      Coverage.all().forEach(machine -> machine.report().forEach(System.out::println));
    }
    if (violation == null) {
      return 0;
    }
    System.out.println(MinimisedTrace.of(violation));
    return 1;
  }

  /** Exits with 1 where one of the planted bugs was not found. */
  private int findPlanted() throws IOException {
    List<PlantedBug> bugs =
        PlantedBug.all().stream()
            .filter(bug -> planted.equals("all") || planted.equals(bug.name()))
            .toList();
    if (bugs.isEmpty()) {
      System.err.println("chaos: --planted takes all, or the name of one of these bugs:");
      PlantedBug.all().forEach(bug -> System.err.println("  " + bug.name() + ": " + bug.does()));
      return 2;
    }
    int missed = 0;
    for (PlantedBug bug : bugs) {
      PlantedSearch search = new PlantedSearch(bug);
      Optional<Long> found = search.find(schedules);
      missed += found.isEmpty() ? 1 : 0;
      System.out.printf(
          "%s: %s%n  %s%n%s%n",
          bug.name(),
          found
              .map(seed -> "found at schedule " + (seed + 1))
              .orElse("not found in " + schedules + " schedules"),
          bug.does(),
          found.map(search::trace).orElse("").indent(2));
    }
    return missed == 0 ? 0 : 1;
  }

  private void search(AtomicLong next) {
    try {
      for (long i = next.getAndIncrement();
          i < schedules && !isOver();
          i = next.getAndIncrement()) {
        Schedule schedule = new Schedule(first + i, Set.of());
        count(schedule, schedule.run());
      }
    } catch (RuntimeException | Error failure) {
      fail(failure);
    }
  }

  private synchronized boolean isOver() {
    return violation != null || broken != null;
  }

  private synchronized void fail(Throwable failure) {
    broken = failure;
  }

  private synchronized void count(Schedule schedule, Schedule.Result result) {
    ran++;
    result.outcome().ifPresent(outcome -> outcomes.merge(outcome, 1L, Long::sum));
    // The lowest seed of those that were under way: a second run names the same.
    if (result.violation().isPresent()
        && (violation == null || schedule.seed() < violation.seed())) {
      violation = schedule;
    }
  }
}
