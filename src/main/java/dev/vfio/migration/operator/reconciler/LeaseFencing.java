package dev.vfio.migration.operator.reconciler;

import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseSpec;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.util.Optional;

/**
 * The fencing number of the leader's lease: its {@code leaseTransitions}, which rises whenever the
 * holder changes, plus one. Read once: a replica that loses the lease ends its process.
 * Thread-safe.
 */
public final class LeaseFencing implements FencingNumber {
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

  private long read() {
    Lease lease = client.leases().inNamespace(namespace).withName(name).get();
    LeaseSpec spec = lease == null ? null : lease.getSpec();
    if (spec == null || !identity.equals(spec.getHolderIdentity())) {
      throw new IllegalStateException(
          "lease "
              + namespace
              + "/"
              + name
              + " is not held by this replica ("
              + identity
              + ") but by "
              + (spec == null ? "nobody" : spec.getHolderIdentity())
              + ": no command is given");
    }
    return Optional.ofNullable(spec.getLeaseTransitions()).orElse(0) + 1L;
  }
}
