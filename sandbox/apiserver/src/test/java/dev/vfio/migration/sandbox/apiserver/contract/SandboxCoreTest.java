package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubernetes.client.KubernetesClient;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The sandbox server keeps the core contract. */
class SandboxCoreTest extends CoreContract {
  @RegisterExtension static final SandboxServer SERVER = new SandboxServer();

  @Override
  KubernetesClient client() {
    return SERVER.client();
  }
}
