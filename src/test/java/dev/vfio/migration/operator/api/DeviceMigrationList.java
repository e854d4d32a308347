package dev.vfio.migration.operator.api;

import io.fabric8.kubernetes.api.model.DefaultKubernetesResourceList;

/** As an informer lists them. */
class DeviceMigrationList extends DefaultKubernetesResourceList<DeviceMigration> {
  private static final long serialVersionUID = 1L;
}
