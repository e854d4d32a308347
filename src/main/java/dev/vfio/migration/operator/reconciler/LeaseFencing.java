package dev.vfio.migration.operator.reconciler;

import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;

/**
 * The fencing number of the leader's lease: its version in the API server, which rises with every
 * write to anything there, so that it is higher for each leader than for all before, also where the
 * lease is made anew (another install, a namespace that was deleted). No clock has a part in it.
 * Read once: a replica that loses the lease ends its process. Thread-safe.
 *
 * <p>Agents remember the highest number for good. Those of earlier releases were made of the second
 * in which the lease was created; all of these are above all of those.
 */
public final class LeaseFencing implements FencingNumber {
  /** Above the numbers of earlier releases, by whatever clock their leases were created. */
  static final long FIRST = 1L << 60;

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
    return number(lease.getMetadata().getResourceVersion());
  }

  /** The number of a lease of that version. */
  static long number(String resourceVersion) {
    try {
      long version = Long.parseLong(resourceVersion);
      if (version < 0) {
        throw new NumberFormatException("negative");
      }
      return Math.addExact(FIRST, version);
    } catch (NumberFormatException | ArithmeticException unordered) {
      throw new IllegalStateException(
          "the API server gives the lease the version '"
              + resourceVersion
              + "', which is no number that could be ordered: no command is given",
          unordered);
    }
  }
}
