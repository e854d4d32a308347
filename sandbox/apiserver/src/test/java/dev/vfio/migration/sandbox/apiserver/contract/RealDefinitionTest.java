package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubernetes.client.KubernetesClient;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A real kube-apiserver keeps the same contract: it measures how faithful the contract is. */
class RealDefinitionTest extends DefinitionContract {
  @RegisterExtension static final RealServer SERVER = new RealServer();

  @Override
  KubernetesClient client() {
    return SERVER.client();
  }
}
