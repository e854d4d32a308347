package dev.vfio.migration.sandbox.cluster.rounds;

/** One fault of one part, which is one of {@code T}. */
public record Blow<T extends Target>(T part, Fault fault) {
  @Override
  public String toString() {
    return part.label() + "/" + fault.label();
  }
}
