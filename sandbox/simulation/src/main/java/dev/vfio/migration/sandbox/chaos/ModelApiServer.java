package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.record.MigrationStore;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The API server with the one object that a schedule is about. Its writes are compare-and-set, as
 * those of the real one; what is lost or late is the way to it ({@link #clientOf}).
 */
final class ModelApiServer {
  /** As the time that a user's client waits. */
  private static final int LATEST_NANOS = 60_000_000;

  private final World world;
  private final Chance chance;
  private final Loop.Lane network;
  private DeviceMigration stored;
  private DeviceMigrationStatus last = DeviceMigrationStatus.EMPTY;
  private long version = 100;

  ModelApiServer(World world, Chance chance, DeviceMigrationSpec spec) {
    this.world = world;
    this.chance = chance;
    this.network = world.loop().lane("way to the API server");
    DeviceMigration created = new DeviceMigration();
    created.getMetadata().setNamespace(Operator.NAMESPACE);
    created.getMetadata().setName(Operator.NAME);
    created.getMetadata().setUid(Operator.UID);
    created.getMetadata().setGeneration(1L);
    created.getMetadata().setFinalizers(List.of(DeviceMigration.FINALIZER));
    created.setSpec(spec);
    store(created);
  }

  /** The object as it is now; empty once it was removed. */
  Optional<DeviceMigration> object() {
    return Optional.ofNullable(stored);
  }

  /** The status that was stored last, also of an object that was removed since. */
  DeviceMigrationStatus status() {
    return last;
  }

  Handover handover() {
    return last.handoverOrUndecided();
  }

  /** Any write to anything raises it. */
  long nextVersion() {
    return ++version;
  }

  // ------------------------------------------------------------------ what the user does

  void cancel() {
    change(spec -> true, DeviceMigrationSpec::switchover, DeviceMigrationSpec::takeBack, null);
  }

  void switchOver() {
    change(
        DeviceMigrationSpec::cancel,
        spec -> Switchover.AUTOMATIC,
        DeviceMigrationSpec::takeBack,
        null);
  }

  void takeBack() {
    change(
        DeviceMigrationSpec::cancel,
        DeviceMigrationSpec::switchover,
        spec -> "the destination's state is lost",
        null);
  }

  /** The object stays until its finalizer is gone. */
  void delete() {
    change(
        DeviceMigrationSpec::cancel,
        DeviceMigrationSpec::switchover,
        DeviceMigrationSpec::takeBack,
        "2026-01-01T00:00:00Z");
  }

  private void change(
      Function<DeviceMigrationSpec, Boolean> cancel,
      Function<DeviceMigrationSpec, Switchover> switchover,
      Function<DeviceMigrationSpec, String> takeBack,
      String deleted) {
    if (stored == null) {
      return;
    }
    DeviceMigrationSpec was = stored.getSpec();
    DeviceMigration next = copy(stored);
    next.setSpec(
        new DeviceMigrationSpec(
            was.source(),
            was.destination(),
            was.convergence(),
            was.transfer(),
            was.timeouts(),
            cancel.apply(was),
            switchover.apply(was),
            was.ttlSecondsAfterFinished(),
            takeBack.apply(was),
            null));
    next.getMetadata().setGeneration(stored.getMetadata().getGeneration() + 1);
    if (deleted != null) {
      next.getMetadata().setDeletionTimestamp(deleted);
    }
    store(next);
  }

  /** Of an object that is to be deleted: nothing holds it any more. */
  void removeFinalizer() {
    if (stored != null && stored.isMarkedForDeletion()) {
      stored = null;
      world.note("the object is removed");
    }
  }

  // ------------------------------------------------------------------ storing

  private void store(DeviceMigration next) {
    next.getMetadata().setResourceVersion(String.valueOf(nextVersion()));
    stored = next;
    world.newsForOperator();
  }

  private DeviceMigration compareAndSet(
      DeviceMigration seen, DeviceMigrationStatus status, long asked) throws OutdatedException {
    if (stored == null
        || !stored
            .getMetadata()
            .getResourceVersion()
            .equals(seen.getMetadata().getResourceVersion())) {
      throw new OutdatedException("the object has changed", null);
    }
    world.recorded(last, status, asked);
    DeviceMigration next = copy(stored);
    next.setStatus(status);
    last = status;
    store(next);
    return next;
  }

  private static DeviceMigration copy(DeviceMigration from) {
    DeviceMigration copy = new DeviceMigration();
    copy.getMetadata().setNamespace(from.getMetadata().getNamespace());
    copy.getMetadata().setName(from.getMetadata().getName());
    copy.getMetadata().setUid(from.getMetadata().getUid());
    copy.getMetadata().setGeneration(from.getMetadata().getGeneration());
    copy.getMetadata().setFinalizers(from.getMetadata().getFinalizers());
    copy.getMetadata().setDeletionTimestamp(from.getMetadata().getDeletionTimestamp());
    copy.setSpec(from.getSpec());
    copy.setStatus(from.getStatus());
    return copy;
  }

  /** What one replica writes with. A write may not arrive, arrive late, or not be answered. */
  MigrationStore clientOf(Replica replica) {
    return new MigrationStore() {
      @Override
      public Optional<DeviceMigration> read(String namespace, String name) {
        requireReachable();
        return object();
      }

      @Override
      public DeviceMigration writeStatus(DeviceMigration seen, DeviceMigrationStatus status)
          throws OutdatedException {
        requireReachable();
        long asked = world.asked();
        if (chance.fault(60)) {
          world.note(replica + ": a write to the API server is late");
          network.later(
              1 + chance.below(LATEST_NANOS),
              () -> replica.goingOn(() -> late(seen, status, asked)));
          throw new KubernetesClientException("no answer in time");
        }
        DeviceMigration written = compareAndSet(seen, status, asked);
        if (chance.fault(60)) {
          world.note(replica + ": the answer of the API server is lost");
          throw new KubernetesClientException("no answer in time");
        }
        return written;
      }

      private void requireReachable() {
        if (chance.fault(60)) {
          throw new KubernetesClientException("the API server cannot be reached");
        }
      }

      private void late(DeviceMigration seen, DeviceMigrationStatus status, long asked) {
        try {
          compareAndSet(seen, status, asked);
        } catch (OutdatedException refused) {
          // As it should be: something was written meanwhile, and nobody waits for the answer.
          world.note("a late write is refused");
        }
      }

      @Override
      public void delete(DeviceMigration seen) {
        throw new AssertionError("no time to live is set");
      }
    };
  }
}
