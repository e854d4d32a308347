package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubernetes.client.KubernetesClient;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The sandbox server keeps the contract. */
class SandboxServerTest {
  @RegisterExtension static final SandboxServer SERVER = new SandboxServer();

  @Nested
  class Apply extends ApplyContract {
    @Override
    KubernetesClient client() {
      return SERVER.client();
    }
  }

  @Nested
  class Core extends CoreContract {
    @Override
    KubernetesClient client() {
      return SERVER.client();
    }
  }

  @Nested
  class Definition extends DefinitionContract {
    @Override
    KubernetesClient client() {
      return SERVER.client();
    }
  }

  @Nested
  class Deletion extends DeletionContract {
    @Override
    KubernetesClient client() {
      return SERVER.client();
    }
  }
}
