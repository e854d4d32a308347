package dev.vfio.migration.sandbox.cluster.rounds;

/** What happens to one part. */
public enum Fault implements Labels {
  /** SIGKILL; started again at once, as a kubelet would. */
  KILL("kill"),
  /** SIGSTOP, and SIGCONT after some seconds. */
  STOP("stop"),
  /** Its connections are reset, and new ones too, for some seconds. */
  CUT("cut"),
  /** For some seconds it stands still for most of the time. */
  SLOW("slow"),
  /** One bit of what it sends is changed. */
  CORRUPT("corrupt");

  private final String label;

  Fault(String label) {
    this.label = label;
  }

  @Override
  public String label() {
    return label;
  }
}
