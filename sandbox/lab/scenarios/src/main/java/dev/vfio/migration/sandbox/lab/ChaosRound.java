package dev.vfio.migration.sandbox.lab;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Outcome;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.rounds.StatusFindings;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** One migration with its faults, from a clean pair to the judgement. Used by one thread. */
final class ChaosRound {
  private static final Duration END = Duration.ofSeconds(600);
  private static final Duration GONE = Duration.ofSeconds(120);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(200);

  /** How long a call for a person may last before nobody is thought to take it back. */
  private static final Duration CALLED = Duration.ofSeconds(45);

  private static final int MIN_MILLIS = 1000;
  private static final int MAX_MILLIS = 10_000;
  private static final int RESTART_MILLIS = 600;

  private final LabCluster cluster;
  private final Function<GuestNode, GuestMachine> machines;
  private final ChaosPair pair;
  private final RoundPlan<ChaosPoint, ChaosPart> plan;
  private final Random random;
  private AppliedMigration migration;
  private JsonNode last;

  ChaosRound(
      LabCluster cluster,
      Function<GuestNode, GuestMachine> machines,
      ChaosPair pair,
      RoundPlan<ChaosPoint, ChaosPart> plan) {
    this.cluster = cluster;
    this.machines = machines;
    this.pair = pair;
    this.plan = plan;
    this.random = new Random(plan.seed());
  }

  Outcome run() throws IOException, InterruptedException {
    ChaosTraces traces = ChaosTraces.begin(pair);
    ChaosHold hold = new ChaosHold(cluster, pair, plan.point());
    migration = hold.reach("chaos-" + plan.number());
    JsonNode before = migration.object();

    List<ChaosInjection> injections = new ArrayList<>();
    for (Blow<ChaosPart> blow : plan.blows()) {
      injections.add(new ChaosInjection(cluster, machines, pair, blow));
    }
    for (ChaosInjection injection : injections) {
      injection.begin();
    }
    int lasts = lasts();
    boolean early = hold.mayLetGoUnder(plan);
    pause(early ? lasts / 2 : lasts);
    if (early) {
      hold.letGo();
      pause(lasts - lasts / 2);
    }
    for (ChaosInjection injection : injections) {
      injection.mend();
    }
    if (!early) {
      hold.letGo();
    }
    awaitSettled();
    return new ChaosJudge(pair, plan, traces)
        .judge(
            before.at("/status/phase").asText(""),
            before.at("/status/handover").asText(""),
            MigrationView.of(last),
            last.at("/status/handover").asText(""));
  }

  /** What was killed is started again at once; other faults last for seconds. */
  private int lasts() {
    boolean kills = plan.blows().stream().allMatch(blow -> blow.fault() == Fault.KILL);
    return kills
        ? random.nextInt(RESTART_MILLIS)
        : MIN_MILLIS + random.nextInt(MAX_MILLIS - MIN_MILLIS);
  }

  /** What is said of the migration once it is settled, or calls for a person for a while. */
  private void awaitSettled() throws IOException, InterruptedException {
    long begin = System.nanoTime();
    Waiting.within(
        END,
        LOOK_AGAIN,
        () -> {
          try {
            last = migration.object();
          } catch (KubernetesClientException notReadyYet) {
            return false;
          }
          MigrationView view = MigrationView.of(last);
          boolean waited = System.nanoTime() - begin > CALLED.toNanos();
          return StatusFindings.settled(view) || waited && view.ended();
        });
    if (last == null) {
      throw new IOException("the API server says nothing of " + migration.name());
    }
  }

  /** Whether the migration is gone, so that the pair can be used again. */
  boolean cleared() throws IOException, InterruptedException {
    migration.delete();
    return Waiting.within(GONE, LOOK_AGAIN, () -> !migration.exists());
  }

  /** The last object, for people. */
  String lastObject() {
    if (migration == null) {
      return "";
    }
    return last == null ? migration.object().toPrettyString() : last.toPrettyString();
  }

  private static void pause(int millis) throws InterruptedException {
    // Nobody counts it down: it is a pause that an interrupt ends.
    new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
  }
}
