package dev.vfio.migration.operator.inventory;

import dev.vfio.migration.operator.api.VfioNode;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import dev.vfio.migration.operator.record.ApiServerStore;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.net.HttpURLConnection;
import java.util.List;
import java.util.Optional;

/**
 * The VfioNode objects of a Kubernetes API server. Status is applied server-side with the resource
 * version that was seen. Safe for use by several threads.
 */
public final class ApiServerNodes implements NodeStore {
  private static final PatchContext APPLY =
      new PatchContext.Builder()
          .withPatchType(PatchType.SERVER_SIDE_APPLY)
          .withFieldManager(ApiServerStore.FIELD_MANAGER)
          .withForce(true)
          .build();

  private final KubernetesClient client;

  public ApiServerNodes(KubernetesClient client) {
    this.client = client;
  }

  @Override
  public List<VfioNode> list() {
    // Version 0: what the API server has in its cache is new enough, and cheaper.
    return client
        .resources(VfioNode.class)
        .list(new ListOptionsBuilder().withResourceVersion("0").build())
        .getItems();
  }

  @Override
  public Optional<VfioNode> read(String node) {
    return Optional.ofNullable(client.resources(VfioNode.class).withName(node).get());
  }

  @Override
  public VfioNode create(String node) {
    try {
      return client.resource(named(node, null)).create();
    } catch (KubernetesClientException refused) {
      if (refused.getCode() != HttpURLConnection.HTTP_CONFLICT) {
        throw refused;
      }
      return read(node).orElseThrow(() -> refused);
    }
  }

  @Override
  public boolean writeStatus(VfioNode seen, VfioNodeStatus status) {
    VfioNode applied = named(seen.getMetadata().getName(), seen.getMetadata().getResourceVersion());
    applied.setStatus(status);
    try {
      client.resource(applied).subresource("status").patch(APPLY);
      return true;
    } catch (KubernetesClientException refused) {
      if (changedSince(refused)) {
        return false;
      }
      throw refused;
    }
  }

  @Override
  public void delete(VfioNode seen) {
    try {
      client.resource(seen).lockResourceVersion(seen.getMetadata().getResourceVersion()).delete();
    } catch (KubernetesClientException refused) {
      if (!changedSince(refused)) {
        throw refused;
      }
    }
  }

  private static boolean changedSince(KubernetesClientException refused) {
    return refused.getCode() == HttpURLConnection.HTTP_CONFLICT
        || refused.getCode() == HttpURLConnection.HTTP_NOT_FOUND;
  }

  private static VfioNode named(String node, String resourceVersion) {
    VfioNode object = new VfioNode();
    object.setMetadata(
        new ObjectMetaBuilder().withName(node).withResourceVersion(resourceVersion).build());
    return object;
  }
}
