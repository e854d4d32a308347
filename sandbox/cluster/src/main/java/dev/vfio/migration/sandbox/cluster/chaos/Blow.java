package dev.vfio.migration.sandbox.cluster.chaos;

/** One fault of one part. */
record Blow(Part part, Fault fault) {
  @Override
  public String toString() {
    return part.label() + "/" + fault.label();
  }
}
