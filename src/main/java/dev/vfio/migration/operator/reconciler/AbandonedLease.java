package dev.vfio.migration.operator.reconciler;

import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.jboss.logging.Logger;

/**
 * Frees the lease of a leader that renews it no more. The library that elects the leader compares
 * the time of day that the last leader wrote with this machine's. Where this machine's clock is
 * behind, the library would wait for that difference, and no migration would go on. Here a lease
 * counts as abandoned once it has not changed for as long as a lease lasts, by the monotonic clock
 * of this process, which begins to count when it first reads the lease. For one thread.
 */
public final class AbandonedLease {
  private static final Logger LOG = Logger.getLogger(AbandonedLease.class);

  private final KubernetesClient client;
  private final String namespace;
  private final String name;
  private final String identity;
  private final Duration lasts;
  private final Clock steady;

  private Seen seen;

  /** A lease as it was last written, and when this process first read it. */
  private record Seen(String uid, String version, Instant since) {
    boolean is(Lease lease) {
      return uid.equals(lease.getMetadata().getUid())
          && version.equals(lease.getMetadata().getResourceVersion());
    }
  }

  /**
   * @param identity this replica's identity in the lease
   * @param lasts how long a leader that vanished keeps the lease
   * @param steady measures time within this process; never set back or forth
   */
  public AbandonedLease(
      KubernetesClient client,
      String namespace,
      String name,
      String identity,
      Duration lasts,
      Clock steady) {
    this.client = client;
    this.namespace = namespace;
    this.name = name;
    this.identity = identity;
    this.lasts = lasts;
    this.steady = steady;
  }

  /** Reads the lease once, and frees it where it is abandoned. Throws nothing. */
  public void check() {
    try {
      Lease lease = client.leases().inNamespace(namespace).withName(name).get();
      Optional<String> other = holder(lease).filter(holder -> !holder.equals(identity));
      if (other.isEmpty()) {
        seen = null;
      } else if (seen == null || !seen.is(lease)) {
        seen =
            new Seen(
                lease.getMetadata().getUid(),
                lease.getMetadata().getResourceVersion(),
                steady.instant());
      } else if (Duration.between(seen.since(), steady.instant()).compareTo(lasts(lease)) > 0) {
        free(lease, other.get());
        seen = null;
      }
    } catch (KubernetesClientException unreachable) {
      // Nothing is known of the lease until it is read again.
      LOG.debugf("the lease %s/%s could not be read: %s", namespace, name, unreachable);
    } catch (RuntimeException fault) {
      // A scheduled task that throws is never run again.
      LOG.errorf(fault, "the lease %s/%s could not be read", namespace, name);
    }
  }

  private static Optional<String> holder(Lease lease) {
    return Optional.ofNullable(lease)
        .map(Lease::getSpec)
        .flatMap(spec -> Optional.ofNullable(spec.getHolderIdentity()))
        .filter(holder -> !holder.isEmpty());
  }

  /**
   * How long the lease lasts: as this process is configured or, where that is longer, as the lease
   * says.
   */
  private Duration lasts(Lease lease) {
    Integer seconds = lease.getSpec().getLeaseDurationSeconds();
    Duration written = seconds == null ? Duration.ZERO : Duration.ofSeconds(seconds);
    return written.compareTo(lasts) > 0 ? written : lasts;
  }

  /** Frees the lease as it was read: where it was renewed since, the API server refuses. */
  private void free(Lease lease, String holder) {
    lease.getSpec().setHolderIdentity("");
    client.resource(lease).lockResourceVersion(lease.getMetadata().getResourceVersion()).update();
    LOG.infof(
        "freed the lease %s/%s: %s has not renewed it for %s",
        namespace, name, holder, lasts(lease));
  }
}
