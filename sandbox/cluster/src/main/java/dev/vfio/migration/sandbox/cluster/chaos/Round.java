package dev.vfio.migration.sandbox.cluster.chaos;

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
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** One migration with its faults, from clean devices to the judgement. Used by one thread. */
final class Round {
  private static final Duration END = Duration.ofSeconds(90);
  private static final Duration GONE = Duration.ofSeconds(20);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(50);

  /** How long a call for a person may last before nobody is thought to take it back. */
  private static final Duration CALLED = Duration.ofSeconds(20);

  private static final int MIN_MILLIS = 500;
  private static final int MAX_MILLIS = 6000;
  private static final int RESTART_MILLIS = 600;

  private final ChaosCluster chaos;
  private final RoundPlan<Point, Part> plan;
  private final Random random;
  private AppliedMigration migration;
  private Optional<AppliedMigration> predecessor = Optional.empty();
  private JsonNode last;

  Round(ChaosCluster chaos, RoundPlan<Point, Part> plan) {
    this.chaos = chaos;
    this.plan = plan;
    this.random = new Random(plan.seed());
  }

  Outcome run() throws IOException, InterruptedException {
    long since = System.nanoTime();
    Hold hold = new Hold(chaos, plan.point(), "round-" + plan.number(), since);
    Hold.Held held = hold.reach();
    migration = held.migration();
    predecessor = held.predecessor();
    JsonNode before = migration.object();

    int leader = chaos.leader();
    List<Injection> injections = new ArrayList<>();
    for (Blow<Part> blow : plan.blows()) {
      injections.add(new Injection(chaos, blow, random, leader));
    }
    long fault = System.nanoTime();
    for (Injection injection : injections) {
      injection.begin();
    }
    hold.faultBegan(plan, leader);
    int lasts = lasts();
    boolean early = hold.mayLetGoUnder(plan);
    pause(early ? lasts / 2 : lasts);
    if (early) {
      hold.letGo(held);
      pause(lasts - lasts / 2);
    }
    injections.sort((one, other) -> one.part().compareTo(other.part()));
    for (Injection injection : injections) {
      injection.launch();
    }
    for (Injection injection : injections) {
      injection.awaitMended();
    }
    if (!early) {
      hold.letGo(held);
    }
    awaitSettled();
    return new Judge(chaos, plan, since, fault)
        .judge(
            before.at("/status/phase").asText(""),
            before.at("/status/handover").asText(""),
            MigrationView.of(last),
            last.at("/status/handover").asText(""));
  }

  /** What was killed is back at once; other faults last for seconds. */
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

  /** Whether the migration is gone, so that the cluster can be used again. */
  boolean cleared() throws IOException, InterruptedException {
    migration.delete();
    predecessor.ifPresent(AppliedMigration::delete);
    return Waiting.within(
        GONE,
        LOOK_AGAIN,
        () -> !migration.exists() && predecessor.map(it -> !it.exists()).orElse(true));
  }

  /** The last object, for people. */
  String lastObject() {
    return last == null ? "" : last.toPrettyString();
  }

  private static void pause(int millis) throws InterruptedException {
    // Nobody counts it down: it is a pause that an interrupt ends.
    new CountDownLatch(1).await(millis, TimeUnit.MILLISECONDS);
  }
}
