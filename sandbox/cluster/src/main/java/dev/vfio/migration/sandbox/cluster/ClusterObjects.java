package dev.vfio.migration.sandbox.cluster;

import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.ContainerPortBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.util.Collection;

/**
 * The objects that a real cluster has before the first migration: what kubelet, DaemonSet
 * controller and {@code helm install} would have made.
 */
final class ClusterObjects {
  static final String NAMESPACE = "vfio-migration";

  private final KubernetesClient client;

  ClusterObjects(KubernetesClient client) {
    this.client = client;
  }

  void namespace() {
    client
        .resource(
            new NamespaceBuilder().withNewMetadata().withName(NAMESPACE).endMetadata().build())
        .serverSideApply();
  }

  void nodes(Collection<NodeAddress> nodes) {
    for (NodeAddress node : nodes) {
      client
          .resource(
              new NodeBuilder()
                  .withNewMetadata()
                  .withName(node.name())
                  .addToLabels("kubernetes.io/hostname", node.name())
                  .endMetadata()
                  .build())
          .serverSideApply();
      agentPod(node);
    }
  }

  /** The pod that the DaemonSet would have put on that node, running and ready. */
  private void agentPod(NodeAddress node) {
    Pod pod =
        new PodBuilder()
            .withNewMetadata()
            .withName(podName(node.name()))
            .withNamespace(NAMESPACE)
            .addToLabels("app.kubernetes.io/name", "vfio-migration")
            .addToLabels("app.kubernetes.io/component", "node-agent")
            .endMetadata()
            .withNewSpec()
            .withNodeName(node.name())
            .addNewContainer()
            .withName("agent")
            .withImage("vfio-migration-agent")
            .withPorts(
                port("control", SandboxNode.CONTROL_PORT),
                port("state", SandboxNode.STATE_PORT),
                port("health", SandboxNode.HEALTH_PORT))
            .endContainer()
            .endSpec()
            .build();
    Pod created = client.resource(pod).create();
    client
        .resource(
            new PodBuilder(created)
                .withNewStatus()
                .withPhase("Running")
                .withPodIP(node.podAddress())
                .addNewPodIP(node.podAddress())
                .addNewCondition()
                .withType("Ready")
                .withStatus("True")
                .endCondition()
                .addNewContainerStatus()
                .withName("agent")
                .withReady(true)
                .withStarted(true)
                .withImage("vfio-migration-agent")
                .withImageID("")
                .withNewState()
                .withNewRunning(created.getMetadata().getCreationTimestamp())
                .endState()
                .endContainerStatus()
                .endStatus()
                .build())
        .updateStatus();
  }

  static String podName(String node) {
    return "node-agent-" + node;
  }

  private static ContainerPort port(String name, int number) {
    return new ContainerPortBuilder().withName(name).withContainerPort(number).build();
  }
}
