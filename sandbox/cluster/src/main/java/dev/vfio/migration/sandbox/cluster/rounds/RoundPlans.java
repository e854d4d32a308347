package dev.vfio.migration.sandbox.cluster.rounds;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * The order of rounds: first each point x part x {kill, stop, cut} once, then what chance picks by
 * the seed, one time in three with a second fault. The same options give the same plans.
 */
public final class RoundPlans<P extends Labels, T extends Target> {
  private static final Set<Fault> SYSTEMATIC = EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT);
  private static final int SECOND_FAULT_ONE_IN = 3;

  private final List<P> points;
  private final List<T> parts;
  private final long seed;
  private final Only<P, T> only;

  /**
   * @param points in the order in which they are gone through
   * @param parts in that order for each point
   */
  public RoundPlans(List<P> points, List<T> parts, long seed, Only<P, T> only) {
    this.points = List.copyOf(points);
    this.parts = List.copyOf(parts);
    this.seed = seed;
    this.only = only;
  }

  /** How many rounds the systematic part has. */
  public int systematic() {
    return list().size();
  }

  /** The plans of the rounds from {@code skipped + 1} to {@code skipped + rounds}. */
  public List<RoundPlan<P, T>> after(int skipped, int rounds) {
    return first(skipped + rounds).subList(skipped, skipped + rounds);
  }

  private List<RoundPlan<P, T>> first(int rounds) {
    List<RoundPlan<P, T>> plans = new ArrayList<>();
    for (RoundPlan<P, T> plan : list()) {
      if (plans.size() < rounds) {
        plans.add(plan);
      }
    }
    while (plans.size() < rounds) {
      plans.add(random(plans.size() + 1));
    }
    return plans;
  }

  private List<RoundPlan<P, T>> list() {
    List<RoundPlan<P, T>> plans = new ArrayList<>();
    for (P point : points) {
      for (T part : parts) {
        for (Fault fault : Fault.values()) {
          boolean systematic = SYSTEMATIC.contains(fault) || only.names(fault);
          if (systematic && part.faults().contains(fault) && only.matches(point, part, fault)) {
            int number = plans.size() + 1;
            plans.add(
                new RoundPlan<>(number, seed + number, point, List.of(new Blow<>(part, fault))));
          }
        }
      }
    }
    return plans;
  }

  private RoundPlan<P, T> random(int number) {
    Random random = new Random(seed + number);
    List<Blow<T>> possible = new ArrayList<>();
    P point = pick(random, points.stream().filter(only::matches).toList());
    for (T part : parts) {
      for (Fault fault : Fault.values()) {
        if (part.faults().contains(fault) && only.matches(point, part, fault)) {
          possible.add(new Blow<>(part, fault));
        }
      }
    }
    List<Blow<T>> blows = new ArrayList<>();
    blows.add(pick(random, possible));
    if (random.nextInt(SECOND_FAULT_ONE_IN) == 0) {
      List<Blow<T>> others =
          possible.stream().filter(blow -> blow.part() != blows.get(0).part()).toList();
      if (!others.isEmpty()) {
        blows.add(pick(random, others));
      }
    }
    return new RoundPlan<>(number, seed + number, point, blows);
  }

  private static <V> V pick(Random random, List<V> values) {
    return values.get(random.nextInt(values.size()));
  }
}
