package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigration;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import jakarta.inject.Singleton;

/** The migrations as the API server's watch tells of them. */
@Singleton
final class ApiServerFeed implements MigrationFeed {
  private final KubernetesClient client;
  private SharedIndexInformer<DeviceMigration> informer;

  ApiServerFeed(KubernetesClient client) {
    this.client = client;
  }

  @Override
  public synchronized void start(Watcher watcher) {
    informer =
        client
            .resources(DeviceMigration.class)
            .inAnyNamespace()
            .inform(
                new ResourceEventHandler<>() {
                  @Override
                  public void onAdd(DeviceMigration migration) {
                    watcher.changed(migration);
                  }

                  @Override
                  public void onUpdate(DeviceMigration before, DeviceMigration migration) {
                    watcher.changed(migration);
                  }

                  @Override
                  public void onDelete(DeviceMigration migration, boolean finalStateUnknown) {
                    watcher.removed(migration);
                  }
                });
  }

  @Override
  public synchronized void stop() {
    if (informer != null) {
      informer.stop();
      informer = null;
    }
  }
}
