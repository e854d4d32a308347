package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.rounds.Outcome;
import dev.vfio.migration.sandbox.cluster.rounds.OutcomeTable;
import dev.vfio.migration.sandbox.cluster.rounds.PauseAfterFault;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/**
 * Runs rounds one after the other, on one cluster as long as each leaves it clean. After one that
 * broke a rule, or could not be run, its logs are kept and a new cluster goes on. Used by one
 * thread.
 */
final class Rounds {
  private static final long NANOS_PER_MILLI = 1_000_000;

  private final Path work;
  private final Operators operators;
  private final Consumer<String> say;
  private ChaosCluster chaos;

  /**
   * @param work folder for everything that is written
   * @param say takes one line for each round as it ends
   */
  Rounds(Path work, Operators operators, Consumer<String> say) {
    this.work = work;
    this.operators = operators;
    this.say = say;
  }

  OutcomeTable<Point, Part> run(List<RoundPlan<Point, Part>> plans)
      throws IOException, InterruptedException {
    OutcomeTable<Point, Part> table =
        new OutcomeTable<>(List.of(Point.values()), List.of(Part.values()));
    try {
      for (RoundPlan<Point, Part> plan : plans) {
        table.add(plan, run(plan));
      }
    } finally {
      close();
    }
    return table;
  }

  private Outcome run(RoundPlan<Point, Part> plan) throws IOException, InterruptedException {
    if (chaos == null) {
      chaos = ChaosCluster.start(work.resolve("cluster"), operators);
    }
    long begin = System.nanoTime();
    Round round = new Round(chaos, plan);
    Outcome outcome;
    try {
      outcome = round.run();
    } catch (IOException | KubernetesClientException e) {
      outcome = Outcome.notRun(e);
    }
    say.accept(
        "round=%d %s phase_at_fault=%s phase_at_end=%s reason=%s owner=%s%s%s ms=%d %s"
            .formatted(
                plan.number(),
                plan,
                outcome.phaseAtFault(),
                outcome.phaseAtEnd(),
                outcome.reason(),
                outcome.owner(),
                outcome.lost() ? " state=lost-with-its-device" : "",
                outcome.pauseNanos().isPresent()
                    ? " pause_after_fault_ms="
                        + PauseAfterFault.millis(outcome.pauseNanos().getAsLong())
                    : "",
                (System.nanoTime() - begin) / NANOS_PER_MILLI,
                outcome.violations().isEmpty() ? "ok" : "VIOLATION"));
    if (!outcome.violations().isEmpty()) {
      outcome.violations().forEach(violation -> say.accept("  " + violation));
      say.accept("  seed=%d logs=%s".formatted(plan.seed(), keep(plan, round)));
      close();
    } else if (outcome.waits()) {
      keep(plan, round);
      close();
    } else {
      prepareNext(round);
    }
    return outcome;
  }

  /** A cluster that cannot be cleaned is not worth a second look: the next round has a new one. */
  private void prepareNext(Round round) throws IOException, InterruptedException {
    boolean clean;
    try {
      clean = round.cleared();
      if (clean) {
        chaos.prepareNext();
      }
    } catch (IOException | KubernetesClientException e) {
      say.accept("  the next round has a new cluster: " + e.getMessage());
      clean = false;
    }
    if (!clean) {
      close();
    }
  }

  private Path keep(RoundPlan<Point, Part> plan, Round round) throws IOException {
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
