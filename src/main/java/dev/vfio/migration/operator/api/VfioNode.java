package dev.vfio.migration.operator.api;

import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;

/**
 * The VFIO devices of one node that has an agent, named as the node. Cluster-scoped, as nodes are.
 * The operator makes, writes and deletes it; nobody else needs to.
 *
 * <p>Mutable because Fabric8's {@link CustomResource} is; the status is an immutable record. Not
 * thread-safe.
 */
@Group(DeviceMigration.GROUP)
@Version(DeviceMigration.VERSION)
@Kind(VfioNode.KIND)
@Plural(VfioNode.PLURAL)
@Singular("vfionode")
@ShortNames(VfioNode.SHORT_NAME)
public class VfioNode extends CustomResource<Void, VfioNodeStatus> {
  private static final long serialVersionUID = 1L;

  public static final String KIND = "VfioNode";
  public static final String PLURAL = "vfionodes";
  public static final String SHORT_NAME = "vnode";
}
