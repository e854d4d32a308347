package dev.vfio.migration.operator.reconciler;

import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Instant;
import java.util.Optional;

/**
 * The fencing number of the leader's lease: the second in which the lease was created, then its
 * {@code leaseTransitions}, which rises whenever the holder changes. Agents remember the highest
 * number for good, while a lease that is made anew (another install, a namespace that was deleted)
 * counts its transitions from 0: the time of its creation keeps the number rising all the same.
 * Read once: a replica that loses the lease ends its process. Thread-safe.
 */
public final class LeaseFencing implements FencingNumber {
  private static final int TRANSITION_BITS = 20;
  private static final long MOST_TRANSITIONS = (1L << TRANSITION_BITS) - 1;

  private final KubernetesClient client;
  private final String namespace;
  private final String name;
  private final String identity;

  private volatile Long number;

  /**
   * @param identity this replica's identity in the lease; differs for every start of the process
   */
  public LeaseFencing(KubernetesClient client, String namespace, String name, String identity) {
    this.client = client;
    this.namespace = namespace;
    this.name = name;
    this.identity = identity;
  }

  @Override
  public long current() {
    Long known = number;
    if (known == null) {
      known = read();
      number = known;
    }
    return known;
  }

  /** Whether this replica holds the lease now. */
  public boolean held() {
    return number != null || holdsIt(lease());
  }

  private Lease lease() {
    return client.leases().inNamespace(namespace).withName(name).get();
  }

  private boolean holdsIt(Lease lease) {
    return lease != null
        && lease.getSpec() != null
        && identity.equals(lease.getSpec().getHolderIdentity());
  }

  private long read() {
    Lease lease = lease();
    if (!holdsIt(lease)) {
      throw new IllegalStateException(
          "lease "
              + namespace
              + "/"
              + name
              + " is not held by this replica ("
              + identity
              + ") but by "
              + (lease == null || lease.getSpec() == null
                  ? "nobody"
                  : lease.getSpec().getHolderIdentity())
              + ": no command is given");
    }
    return number(
        Instant.parse(lease.getMetadata().getCreationTimestamp()),
        Optional.ofNullable(lease.getSpec().getLeaseTransitions()).orElse(0));
  }

  /** The number of a lease that was created at {@code created}. */
  static long number(Instant created, int transitions) {
    long within = Math.min(transitions + 1L, MOST_TRANSITIONS);
    return (created.getEpochSecond() << TRANSITION_BITS) + within;
  }
}
