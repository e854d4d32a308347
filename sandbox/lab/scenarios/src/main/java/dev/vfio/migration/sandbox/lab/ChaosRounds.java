package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import dev.vfio.migration.sandbox.cluster.rounds.Only;
import dev.vfio.migration.sandbox.cluster.rounds.Outcome;
import dev.vfio.migration.sandbox.cluster.rounds.OutcomeTable;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlans;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Runs rounds one after the other between the same two guests, with one pair of devices for each
 * kind. After a round that broke a rule, that could not be run or that waits for a person its logs
 * are kept, and new agents, devices and programs go on. Used by one thread.
 */
final class ChaosRounds {
  private static final long NANOS_PER_MILLI = 1_000_000;

  /** Starts agents and operator, with nothing left of those before. */
  @FunctionalInterface
  interface Start {
    LabCluster start() throws IOException, InterruptedException;
  }

  private final Start start;
  private final Function<GuestNode, GuestMachine> machines;
  private final List<DeviceKind> kinds;
  private final Path kept;
  private final Consumer<String> say;
  private final Map<DeviceKind, ChaosPair> pairs = new EnumMap<>(DeviceKind.class);
  private LabCluster cluster;
  private Leftovers leftovers;
  private int made;

  /**
   * @param machines the machine of a node
   * @param kinds of devices that the guests' kernel offers
   * @param kept folder for the logs of rounds that a person should see
   * @param say takes one line for each round as it ends
   */
  ChaosRounds(
      Start start,
      Function<GuestNode, GuestMachine> machines,
      List<DeviceKind> kinds,
      Path kept,
      Consumer<String> say) {
    this.start = start;
    this.machines = machines;
    this.kinds = List.copyOf(kinds);
    this.kept = kept;
    this.say = say;
  }

  /**
   * The rounds that were asked for: each point x part x fault once, then what chance picks. Where
   * several are named there is what each names, one after the other, and nothing of chance.
   *
   * @param only POINT/PROCESS/FAULT, several, or nothing
   * @throws WrongOptionException where there is no such point, part or fault
   */
  static List<RoundPlan<ChaosPoint, ChaosPart>> plans(LabOptions.Chaos chaos, List<String> only)
      throws WrongOptionException {
    if (only.size() > 1) {
      return named(chaos, only);
    }
    RoundPlans<ChaosPoint, ChaosPart> plans = plans(chaos, only.isEmpty() ? "*/*/*" : only.get(0));
    int all = Math.max(0, plans.systematic() - chaos.skip());
    return plans.after(chaos.skip(), chaos.rounds() == 0 ? all : chaos.rounds());
  }

  private static List<RoundPlan<ChaosPoint, ChaosPart>> named(
      LabOptions.Chaos chaos, List<String> only) throws WrongOptionException {
    List<RoundPlan<ChaosPoint, ChaosPart>> all = new ArrayList<>();
    for (String each : only) {
      RoundPlans<ChaosPoint, ChaosPart> plans = plans(chaos, each);
      for (RoundPlan<ChaosPoint, ChaosPart> plan : plans.after(0, plans.systematic())) {
        int number = all.size() + 1;
        all.add(new RoundPlan<>(number, chaos.seed() + number, plan.point(), plan.blows()));
      }
    }
    int from = Math.min(chaos.skip(), all.size());
    int rest = all.size() - from;
    int rounds = chaos.rounds() == 0 ? rest : Math.min(chaos.rounds(), rest);
    return List.copyOf(all.subList(from, from + rounds));
  }

  private static RoundPlans<ChaosPoint, ChaosPart> plans(LabOptions.Chaos chaos, String only)
      throws WrongOptionException {
    return new RoundPlans<>(
        List.of(ChaosPoint.values()),
        List.of(ChaosPart.values()),
        chaos.seed(),
        Only.parse(ChaosPoint.values(), ChaosPart.values(), only));
  }

  OutcomeTable<ChaosPoint, ChaosPart> run(List<RoundPlan<ChaosPoint, ChaosPart>> plans)
      throws IOException, InterruptedException {
    OutcomeTable<ChaosPoint, ChaosPart> table =
        new OutcomeTable<>(List.of(ChaosPoint.values()), List.of(ChaosPart.values()));
    try {
      for (RoundPlan<ChaosPoint, ChaosPart> plan : plans) {
        table.add(plan, run(plan));
      }
    } finally {
      close();
    }
    return table;
  }

  private Outcome run(RoundPlan<ChaosPoint, ChaosPart> plan)
      throws IOException, InterruptedException {
    if (cluster == null) {
      cluster = start.start();
      leftovers = new Leftovers(cluster);
    }
    DeviceKind kind = kindFor(plan);
    ChaosPair pair = pair(kind);
    long begin = System.nanoTime();
    ChaosRound round = new ChaosRound(cluster, machines, pair, plan);
    Outcome outcome;
    try {
      outcome = round.run();
      if (!outcome.waits() && outcome.violations().isEmpty()) {
        outcome = leftBehind(round, outcome);
      }
    } catch (IOException | KubernetesClientException e) {
      outcome = Outcome.notRun(e);
    }
    say.accept(
        "round=%d %s device=%s from=%s phase_at_fault=%s phase_at_end=%s reason=%s owner=%s%s ms=%d %s"
            .formatted(
                plan.number(),
                plan,
                kind.label(),
                pair.source().node().name(),
                outcome.phaseAtFault(),
                outcome.phaseAtEnd(),
                outcome.reason(),
                outcome.owner(),
                outcome.lost() ? " state=lost-with-its-workload" : "",
                (System.nanoTime() - begin) / NANOS_PER_MILLI,
                outcome.violations().isEmpty() ? "ok" : "VIOLATION"));
    outcome.violations().forEach(violation -> say.accept("  " + violation));
    if (!outcome.violations().isEmpty() || outcome.waits()) {
      say.accept("  seed=%d logs=%s".formatted(plan.seed(), keep(plan, round)));
      close();
    } else if (plan.blows().stream().anyMatch(blow -> blow.part().isGuest())) {
      close();
    } else {
      prepareNext(pair);
    }
    return outcome;
  }

  /** Another one for each round; of those with a slow device only ours, which can be slow. */
  private DeviceKind kindFor(RoundPlan<ChaosPoint, ChaosPart> plan) {
    List<DeviceKind> possible =
        kinds.stream().filter(it -> it.ours() || !plan.point().needsSlowDevice()).toList();
    return possible.get((int) Math.floorMod(plan.seed(), (long) possible.size()));
  }

  private ChaosPair pair(DeviceKind kind) throws IOException, InterruptedException {
    if (!pairs.containsKey(kind)) {
      made++;
      pairs.put(kind, ChaosPair.create(cluster, kind, kind.label() + "-chaos-" + made));
    }
    return pairs.get(kind);
  }

  private Outcome leftBehind(ChaosRound round, Outcome outcome)
      throws IOException, InterruptedException {
    if (!round.cleared()) {
      return outcome.with("the migration was deleted and is not gone");
    }
    try {
      leftovers.awaitNothingHeld();
      return outcome;
    } catch (GuestException e) {
      throw e;
    } catch (IOException e) {
      return outcome.with(e.getMessage());
    }
  }

  /** A pair that cannot be cleaned is not worth a second look: the next round has all new. */
  private void prepareNext(ChaosPair pair) throws IOException, InterruptedException {
    try {
      pair.prepareNext();
    } catch (IOException | KubernetesClientException e) {
      say.accept("  the next round has all new: %s".formatted(e.getMessage()));
      close();
    }
  }

  private Path keep(RoundPlan<ChaosPoint, ChaosPart> plan, ChaosRound round)
      throws IOException, InterruptedException {
    Path folder = Files.createDirectories(kept.resolve("round-" + plan.number()));
    Files.writeString(folder.resolve("migration.json"), round.lastObject());
    cluster.keepLogs(folder);
    return folder;
  }

  private void close() {
    // The devices and programs go with the agents, when the next ones start.
    pairs.clear();
    if (cluster != null) {
      cluster.close();
      cluster = null;
    }
  }
}
