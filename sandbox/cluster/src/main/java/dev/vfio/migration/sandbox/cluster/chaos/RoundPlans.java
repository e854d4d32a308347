package dev.vfio.migration.sandbox.cluster.chaos;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * The order of rounds: first each point x part x {kill, stop, cut} once, then what chance picks by
 * the seed, one time in three with a second fault. The same options give the same plans.
 */
final class RoundPlans {
  private static final Set<Fault> SYSTEMATIC = EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT);
  private static final int SECOND_FAULT_ONE_IN = 3;

  private final long seed;
  private final Only only;

  RoundPlans(long seed, Only only) {
    this.seed = seed;
    this.only = only;
  }

  /** How many rounds the systematic part has. */
  int systematic() {
    return list().size();
  }

  /** The plans of the rounds from {@code skipped + 1} to {@code skipped + rounds}. */
  List<RoundPlan> after(int skipped, int rounds) {
    return first(skipped + rounds).subList(skipped, skipped + rounds);
  }

  private List<RoundPlan> first(int rounds) {
    List<RoundPlan> plans = new ArrayList<>();
    for (RoundPlan plan : list()) {
      if (plans.size() < rounds) {
        plans.add(plan);
      }
    }
    while (plans.size() < rounds) {
      plans.add(random(plans.size() + 1));
    }
    return plans;
  }

  private List<RoundPlan> list() {
    List<RoundPlan> plans = new ArrayList<>();
    for (Point point : Point.values()) {
      for (Part part : Part.values()) {
        for (Fault fault : Fault.values()) {
          boolean systematic = SYSTEMATIC.contains(fault) || only.names(fault);
          if (systematic && part.faults().contains(fault) && only.matches(point, part, fault)) {
            int number = plans.size() + 1;
            plans.add(new RoundPlan(number, seed + number, point, List.of(new Blow(part, fault))));
          }
        }
      }
    }
    return plans;
  }

  private RoundPlan random(int number) {
    Random random = new Random(seed + number);
    List<Blow> possible = new ArrayList<>();
    Point point = pick(random, List.of(Point.values()).stream().filter(only::matches).toList());
    for (Part part : Part.values()) {
      for (Fault fault : Fault.values()) {
        if (part.faults().contains(fault) && only.matches(point, part, fault)) {
          possible.add(new Blow(part, fault));
        }
      }
    }
    List<Blow> blows = new ArrayList<>();
    blows.add(pick(random, possible));
    if (random.nextInt(SECOND_FAULT_ONE_IN) == 0) {
      List<Blow> others =
          possible.stream().filter(blow -> blow.part() != blows.get(0).part()).toList();
      if (!others.isEmpty()) {
        blows.add(pick(random, others));
      }
    }
    return new RoundPlan(number, seed + number, point, blows);
  }

  private static <T> T pick(Random random, List<T> values) {
    return values.get(random.nextInt(values.size()));
  }
}
