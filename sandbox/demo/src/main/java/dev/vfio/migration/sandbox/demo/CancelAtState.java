package dev.vfio.migration.sandbox.demo;

import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Sets spec.cancel once the source's device, by its own log, has reached a state. Owns one thread,
 * which ends when it has done so or when this is closed.
 */
final class CancelAtState implements AutoCloseable {
  private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

  private final Thread thread;
  private volatile boolean closed;
  private volatile Exception failure;

  private CancelAtState(
      Optional<DemoOptions.SourceState> state,
      LaunchedDevice source,
      AppliedMigration migration,
      Screen screen) {
    this.thread =
        new Thread(
            () -> state.ifPresent(wanted -> watch(wanted.name(), source, migration, screen)),
            "cancel-at-state");
    this.thread.setDaemon(true);
  }

  /** Begins to watch; without a state there is nothing to do. */
  static CancelAtState of(
      Optional<DemoOptions.SourceState> state,
      LaunchedDevice source,
      AppliedMigration migration,
      Screen screen) {
    CancelAtState cancel = new CancelAtState(state, source, migration, screen);
    cancel.thread.start();
    return cancel;
  }

  private void watch(
      String state, LaunchedDevice source, AppliedMigration migration, Screen screen) {
    try {
      while (!closed) {
        if (source.log().events().stream().anyMatch(event -> event.entersState(state))) {
          migration.cancel();
          screen.say("the source's device is in " + state + ": cancelled");
          return;
        }
        LockSupport.parkNanos(LOOK_AGAIN_NANOS);
      }
    } catch (IOException | KubernetesClientException e) {
      failure = e;
    }
  }

  /** Throws what went wrong while watching, if anything did. */
  void rethrow() throws IOException {
    if (failure != null) {
      throw new IOException("the migration could not be cancelled: " + failure, failure);
    }
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }
}
