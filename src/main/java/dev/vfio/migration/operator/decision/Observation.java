package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.admission.Predecessor;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.spec.Settings;
import dev.vfio.migration.operator.status.FirstSeenTimes;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Everything that a decision may depend on.
 *
 * @param now the time of day, only for what people read
 * @param steady the same moment by this process's monotonic clock, from which durations are counted
 * @param firstSeen when this process first saw what the status says
 * @param namespace metadata.namespace
 * @param adminNamespaces where a migration may name a node and a device
 * @param uid metadata.uid
 * @param generation metadata.generation
 * @param deletionRequested the object is being deleted
 * @param settings the checked spec
 * @param status the status as it was last written or read; never null
 * @param predecessor the migration that this one waits for, while it is Pending
 * @param history what the stall rule remembers; empty until the source has reported progress
 * @param leads whether this replica is the leader; see {@link StandbyDecision} for what others do
 * @param fencingNumber under which commands are given: the leader's own, or for another replica the
 *     one that the status records; empty where that records none
 */
public record Observation(
    Instant now,
    Instant steady,
    FirstSeenTimes firstSeen,
    String namespace,
    AdminNamespaces adminNamespaces,
    String uid,
    long generation,
    boolean deletionRequested,
    Settings settings,
    DeviceMigrationStatus status,
    Optional<Predecessor> predecessor,
    Side source,
    Side destination,
    Optional<History> history,
    boolean leads,
    OptionalLong fencingNumber) {

  /** How agents name the session that claims a device: {@code uid/attempt}. */
  public String claim() {
    return uid + "/" + attempt();
  }

  /** The attempt this is about, from 1. */
  public int attempt() {
    return status.attempt() == null || status.attempt() < 1 ? 1 : status.attempt();
  }
}
