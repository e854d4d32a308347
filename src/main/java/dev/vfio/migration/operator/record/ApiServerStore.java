package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.net.HttpURLConnection;
import java.util.Optional;
import java.util.Set;

/**
 * The store in a Kubernetes API server. Status is applied server-side, so that only our own fields
 * are ours, and always with the resource version that was seen: a leader that does not know yet
 * that it lost its lease cannot write over what its successor decided.
 */
public final class ApiServerStore implements MigrationStore {
  /** Who owns the status, as managedFields name it. */
  public static final String FIELD_MANAGER = "vfio-migration-operator";

  /**
   * 422 is what an API server answers to a value that the CRD does not allow, 403 what it answers
   * where an admission policy or webhook denies. A right that is lacking is 403 too; the smaller
   * status is then refused as well.
   */
  private static final Set<Integer> CONTENT_REFUSED =
      Set.of(
          HttpURLConnection.HTTP_BAD_REQUEST,
          HttpURLConnection.HTTP_FORBIDDEN,
          HttpURLConnection.HTTP_ENTITY_TOO_LARGE,
          422);

  private static final PatchContext APPLY =
      new PatchContext.Builder()
          .withPatchType(PatchType.SERVER_SIDE_APPLY)
          .withFieldManager(FIELD_MANAGER)
          .withForce(true)
          .build();

  private final KubernetesClient client;

  public ApiServerStore(KubernetesClient client) {
    this.client = client;
  }

  @Override
  public Optional<DeviceMigration> read(String namespace, String name) {
    return Optional.ofNullable(
        client.resources(DeviceMigration.class).inNamespace(namespace).withName(name).get());
  }

  @Override
  public DeviceMigration writeStatus(DeviceMigration seen, DeviceMigrationStatus status)
      throws OutdatedException, ContentRefusedException {
    DeviceMigration applied = new DeviceMigration();
    applied.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace(seen.getMetadata().getNamespace())
            .withName(seen.getMetadata().getName())
            .withResourceVersion(seen.getMetadata().getResourceVersion())
            .build());
    applied.setStatus(status);
    try {
      return client.resource(applied).subresource("status").patch(APPLY);
    } catch (KubernetesClientException refused) {
      if (refused.getCode() == HttpURLConnection.HTTP_CONFLICT
          || refused.getCode() == HttpURLConnection.HTTP_NOT_FOUND) {
        throw new OutdatedException(
            seen.qualifiedName() + " has changed since it was read", refused);
      }
      if (CONTENT_REFUSED.contains(refused.getCode())) {
        throw new ContentRefusedException(
            "HTTP " + refused.getCode() + ": " + refused.getMessage(), refused);
      }
      throw refused;
    }
  }

  @Override
  public void delete(DeviceMigration seen) {
    client.resource(seen).lockResourceVersion(seen.getMetadata().getResourceVersion()).delete();
  }
}
