package dev.vfio.migration.sandbox.chaos;

/** An agent ends at this very instruction. */
final class Crash extends Error {
  private static final long serialVersionUID = 1L;

  private final transient Node node;

  Crash(Node node) {
    super("the agent of " + node + " ends here", null, false, false);
    this.node = node;
  }

  Node node() {
    return node;
  }
}
