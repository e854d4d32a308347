package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubernetes.client.KubernetesClient;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A real kube-apiserver keeps the contract too: this measures how faithful the contract is. */
class RealServerTest {
  @RegisterExtension static final RealServer SERVER = new RealServer();

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
