package dev.vfio.migration.sandbox.cluster.rounds;

import java.util.List;
import java.util.stream.Collectors;

/**
 * What one round is to be.
 *
 * @param number from 1
 * @param seed of everything that chance picks in it
 * @param point where its faults happen
 * @param blows one or two, of different parts
 */
public record RoundPlan<P extends Labels, T extends Target>(
    int number, long seed, P point, List<Blow<T>> blows) {
  public RoundPlan {
    blows = List.copyOf(blows);
  }

  /** Whether a fault happens to that part. */
  public boolean hits(T part) {
    return blows.stream().anyMatch(blow -> blow.part() == part);
  }

  /** As {@code --only} takes it, where it is one fault. */
  @Override
  public String toString() {
    return "phase=%s process=%s fault=%s"
        .formatted(
            point.label(),
            blows.stream().map(blow -> blow.part().label()).collect(Collectors.joining("+")),
            blows.stream().map(blow -> blow.fault().label()).collect(Collectors.joining("+")));
  }
}
