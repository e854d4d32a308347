package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubernetes.client.KubernetesClient;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The sandbox server keeps the contract of its kind. */
class SandboxDeletionTest extends DeletionContract {
  @RegisterExtension static final SandboxServer SERVER = new SandboxServer();

  @Override
  KubernetesClient client() {
    return SERVER.client();
  }
}
