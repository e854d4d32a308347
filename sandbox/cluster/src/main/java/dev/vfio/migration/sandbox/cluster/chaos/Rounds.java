package dev.vfio.migration.sandbox.cluster.chaos;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/**
 * Runs rounds one after the other, on one cluster as long as each leaves it clean. Ends with the
 * first that breaks a rule. Used by one thread.
 */
final class Rounds {
  private static final long NANOS_PER_MILLI = 1_000_000;

  private final Path work;
  private final Consumer<String> say;
  private ChaosCluster chaos;

  /**
   * @param work folder for everything that is written
   * @param say takes one line for each round as it ends
   */
  Rounds(Path work, Consumer<String> say) {
    this.work = work;
    this.say = say;
  }

  OutcomeTable run(List<RoundPlan> plans) throws IOException, InterruptedException {
    OutcomeTable table = new OutcomeTable();
    try {
      for (RoundPlan plan : plans) {
        Outcome outcome = run(plan);
        table.add(plan, outcome);
        if (!outcome.violations().isEmpty()) {
          break;
        }
      }
    } finally {
      close();
    }
    return table;
  }

  private Outcome run(RoundPlan plan) throws IOException, InterruptedException {
    if (chaos == null) {
      chaos = ChaosCluster.start(work.resolve("cluster"));
    }
    long begin = System.nanoTime();
    Round round = new Round(chaos, plan);
    Outcome outcome;
    try {
      outcome = round.run();
    } catch (IOException | RuntimeException e) {
      say.accept("round=%d %s failed: %s".formatted(plan.number(), plan, e.getMessage()));
      say.accept("seed=%d logs=%s".formatted(plan.seed(), keep(plan, round)));
      throw e;
    }
    say.accept(
        "round=%d %s phase_at_fault=%s phase_at_end=%s reason=%s owner=%s%s ms=%d %s"
            .formatted(
                plan.number(),
                plan,
                outcome.phaseAtFault(),
                outcome.phaseAtEnd(),
                outcome.reason(),
                outcome.owner(),
                outcome.lost() ? " state=lost-with-its-device" : "",
                (System.nanoTime() - begin) / NANOS_PER_MILLI,
                outcome.violations().isEmpty() ? "ok" : "VIOLATION"));
    if (!outcome.violations().isEmpty()) {
      outcome.violations().forEach(violation -> say.accept("  " + violation));
      say.accept("seed=%d logs=%s".formatted(plan.seed(), keep(plan, round)));
      return outcome;
    }
    if (outcome.waits()) {
      keep(plan, round);
      close();
    } else if (round.cleared()) {
      chaos.prepareNext();
    } else {
      close();
    }
    return outcome;
  }

  private Path keep(RoundPlan plan, Round round) throws IOException {
    Path folder = Files.createDirectories(work.resolve("round-" + plan.number()));
    Files.writeString(folder.resolve("migration.json"), round.lastObject());
    return chaos.keepLogs(folder);
  }

  private void close() throws IOException {
    if (chaos != null) {
      chaos.close();
      chaos = null;
    }
  }
}
