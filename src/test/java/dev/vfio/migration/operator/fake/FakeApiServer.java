package dev.vfio.migration.operator.fake;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.record.MigrationStore;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * Objects with resource versions, generations, finalizers and compare-and-set, as an API server
 * keeps them. Thread-safe.
 */
public final class FakeApiServer implements MigrationStore {
  /** Of a condition, as the CRD has it. */
  private static final int MAX_MESSAGE = 32768;

  private final KubernetesSerialization serialization = new KubernetesSerialization();
  private final Map<String, DeviceMigration> objects = new LinkedHashMap<>();
  private final List<Consumer<DeviceMigration>> watchers = new CopyOnWriteArrayList<>();
  private final List<Consumer<DeviceMigration>> feed = new CopyOnWriteArrayList<>();
  private final List<DeviceMigrationStatus> history = new CopyOnWriteArrayList<>();
  private long version = 100;
  private int created;
  private Predicate<DeviceMigrationStatus> refuses =
      status ->
          status.conditions().stream()
              .anyMatch(condition -> condition.message().length() > MAX_MESSAGE);
  private Runnable beforeWrite = () -> {};
  private Runnable afterWrite = () -> {};

  /** Calls {@code watcher} with the object whenever its spec or its deletion changes. */
  public void watch(Consumer<DeviceMigration> watcher) {
    watchers.add(watcher);
  }

  /** Calls {@code watcher} with the object as it is, and whenever anything of it changes. */
  public void watchAll(Consumer<DeviceMigration> watcher) {
    all().forEach(watcher);
    feed.add(watcher);
  }

  public void forgetWatchers() {
    watchers.clear();
  }

  /** From now on a status is refused for its content where {@code next} says so. */
  public void refuse(Predicate<DeviceMigrationStatus> next) {
    refuses = next;
  }

  /** Runs before each write of a status, outside the lock. */
  public void beforeWrite(Runnable next) {
    beforeWrite = next;
  }

  /** Runs after each write of a status, outside the lock. */
  public void afterWrite(Runnable next) {
    afterWrite = next;
  }

  public DeviceMigration create(String name, DeviceMigrationSpec spec) {
    return create("default", name, spec);
  }

  /** Names are unique across namespaces here. */
  public DeviceMigration create(String namespace, String name, DeviceMigrationSpec spec) {
    DeviceMigration migration = new DeviceMigration();
    synchronized (this) {
      migration.getMetadata().setNamespace(namespace);
      migration.getMetadata().setName(name);
      migration.getMetadata().setUid("uid-" + name + "-" + ++created);
      migration.getMetadata().setGeneration(1L);
      migration.getMetadata().setResourceVersion(String.valueOf(++version));
      migration
          .getMetadata()
          .setCreationTimestamp(
              Instant.parse("2026-01-01T00:00:00Z")
                  .plusSeconds(created)
                  .truncatedTo(ChronoUnit.SECONDS)
                  .toString());
      migration.getMetadata().setFinalizers(new ArrayList<>(List.of(DeviceMigration.FINALIZER)));
      migration.setSpec(spec);
      objects.put(name, migration);
    }
    notifyWatchers(name);
    return read("default", name).orElseThrow();
  }

  public void changeSpec(String name, UnaryOperator<DeviceMigrationSpec> change) {
    synchronized (this) {
      DeviceMigration migration = objects.get(name);
      migration.setSpec(change.apply(migration.getSpec()));
      migration.getMetadata().setGeneration(migration.getMetadata().getGeneration() + 1);
      migration.getMetadata().setResourceVersion(String.valueOf(++version));
    }
    notifyWatchers(name);
  }

  /** Something that changes the object but not what it asks for. */
  public synchronized void annotate(String name) {
    DeviceMigration migration = objects.get(name);
    migration.getMetadata().setAnnotations(Map.of("touched", String.valueOf(version)));
    migration.getMetadata().setResourceVersion(String.valueOf(++version));
  }

  /** As a user deletes: the object stays until its finalizer is gone. */
  public void requestDeletion(String name) {
    synchronized (this) {
      DeviceMigration migration = objects.get(name);
      migration.getMetadata().setDeletionTimestamp(Instant.now().toString());
      migration.getMetadata().setGeneration(migration.getMetadata().getGeneration() + 1);
      migration.getMetadata().setResourceVersion(String.valueOf(++version));
    }
    notifyWatchers(name);
  }

  public synchronized void removeFinalizer(String name) {
    objects.remove(name);
  }

  private void notifyWatchers(String name) {
    read("default", name).ifPresent(copy -> tell(copy));
  }

  private void tell(DeviceMigration copy) {
    watchers.forEach(watcher -> watcher.accept(copy));
    feed.forEach(watcher -> watcher.accept(copy));
  }

  /** Every status that was written, in order. */
  public List<DeviceMigrationStatus> history() {
    return history;
  }

  public synchronized Collection<DeviceMigration> all() {
    return objects.values().stream().map(this::copy).toList();
  }

  public DeviceMigrationStatus status(String name) {
    return read("default", name)
        .map(
            migration ->
                migration.getStatus() == null ? DeviceMigrationStatus.EMPTY : migration.getStatus())
        .orElse(DeviceMigrationStatus.EMPTY);
  }

  @Override
  public synchronized Optional<DeviceMigration> read(String namespace, String name) {
    return Optional.ofNullable(objects.get(name)).map(this::copy);
  }

  @Override
  public DeviceMigration writeStatus(DeviceMigration seen, DeviceMigrationStatus status)
      throws OutdatedException, ContentRefusedException {
    beforeWrite.run();
    if (refuses.test(status)) {
      throw new ContentRefusedException("HTTP 422: status is invalid", null);
    }
    DeviceMigration written;
    synchronized (this) {
      DeviceMigration now = objects.get(seen.getMetadata().getName());
      if (now == null
          || !now.getMetadata()
              .getResourceVersion()
              .equals(seen.getMetadata().getResourceVersion())) {
        throw new OutdatedException("outdated", null);
      }
      // Through JSON, as everything that is stored.
      DeviceMigration through = new DeviceMigration();
      through.setStatus(status);
      now.setStatus(copy(through).getStatus());
      now.getMetadata().setResourceVersion(String.valueOf(++version));
      history.add(now.getStatus());
      written = copy(now);
    }
    feed.forEach(watcher -> watcher.accept(written));
    afterWrite.run();
    return written;
  }

  @Override
  public void delete(DeviceMigration seen) {
    requestDeletion(seen.getMetadata().getName());
  }

  private DeviceMigration copy(DeviceMigration migration) {
    return serialization.unmarshal(serialization.asJson(migration), DeviceMigration.class);
  }
}
