package dev.vfio.migration.sandbox.cluster.rounds;

import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import java.util.Optional;

/** Which points, parts and faults a run is narrowed to; empty where it takes all. */
public record Only<P extends Labels, T extends Target>(
    Optional<P> point, Optional<T> part, Optional<Fault> fault) {
  /** Takes all. */
  public static <P extends Labels, T extends Target> Only<P, T> all() {
    return new Only<>(Optional.empty(), Optional.empty(), Optional.empty());
  }

  /**
   * Reads {@code PHASE/PROCESS/FAULT}; a {@code *} takes all.
   *
   * @throws WrongOptionException where it has another form, or a name that there is not
   */
  public static <P extends Labels, T extends Target> Only<P, T> parse(
      P[] points, T[] parts, String text) throws WrongOptionException {
    String[] names = text.split("/", -1);
    if (names.length != 3) {
      throw new WrongOptionException("--only takes PHASE/PROCESS/FAULT, each of them may be *");
    }
    Only<P, T> only =
        new Only<>(find(points, names[0]), find(parts, names[1]), find(Fault.values(), names[2]));
    if (only.part.isPresent()
        && only.fault.isPresent()
        && !only.part.get().faults().contains(only.fault.get())) {
      throw new WrongOptionException(
          "--only: %s knows no %s".formatted(only.part.get().label(), only.fault.get().label()));
    }
    return only;
  }

  private static <V extends Labels> Optional<V> find(V[] values, String label)
      throws WrongOptionException {
    if (label.equals("*")) {
      return Optional.empty();
    }
    Optional<V> found = Labels.find(values, label);
    if (found.isEmpty()) {
      throw new WrongOptionException(
          "--only: '%s' is none of %s".formatted(label, String.join(", ", Labels.of(values))));
    }
    return found;
  }

  boolean matches(P candidate) {
    return point.isEmpty() || point.get() == candidate;
  }

  boolean names(Fault candidate) {
    return fault.isPresent() && fault.get() == candidate;
  }

  boolean matches(P somewhere, T something, Fault anything) {
    return matches(somewhere)
        && (part.isEmpty() || part.get() == something)
        && (fault.isEmpty() || fault.get() == anything);
  }
}
