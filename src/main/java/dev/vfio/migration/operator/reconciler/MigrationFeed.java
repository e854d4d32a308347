package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigration;

/** Every migration there is and each change of one, for a replica that does not lead. */
interface MigrationFeed {

  /** Told of changes, from any thread. Must not block. */
  interface Watcher {
    void changed(DeviceMigration migration);

    void removed(DeviceMigration migration);
  }

  /** Begins to tell {@code watcher}, of what there is first. Called once. */
  void start(Watcher watcher);

  void stop();
}
