package dev.vfio.migration.sandbox.chaos;

/** How a schedule ended that broke nothing. */
enum Outcome {
  COMMITTED,
  ROLLED_BACK,
  CANCELLED,
  /** A person is asked, as H3 allows. */
  WAITING
}
