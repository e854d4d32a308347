package dev.vfio.migration.operator.api;

import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;

/**
 * Moves the state of one VFIO device, and the memory its workload declared, from one node to a
 * device of the same model on another node.
 *
 * <p>Mutable because Fabric8's {@link CustomResource} is; spec and status are immutable records.
 * Not thread-safe: an instance that comes from a cache must not be written to.
 */
@Group(DeviceMigration.GROUP)
@Version(DeviceMigration.VERSION)
@Kind(DeviceMigration.KIND)
@Plural(DeviceMigration.PLURAL)
@Singular("devicemigration")
@ShortNames(DeviceMigration.SHORT_NAME)
public class DeviceMigration extends CustomResource<DeviceMigrationSpec, DeviceMigrationStatus>
    implements Namespaced {
  private static final long serialVersionUID = 1L;

  public static final String GROUP = "migration.vfio.dev";
  public static final String VERSION = "v1alpha1";
  public static final String KIND = "DeviceMigration";
  public static final String PLURAL = "devicemigrations";
  public static final String SHORT_NAME = "dmig";

  /**
   * Kept until the migration has ended with exactly one device running, so that deleting the object
   * cannot orphan a paused workload.
   */
  public static final String FINALIZER = GROUP + "/handover";

  /** {@code namespace/name}: how logs, events and messages name a migration. */
  public String qualifiedName() {
    return getMetadata().getNamespace() + "/" + getMetadata().getName();
  }
}
