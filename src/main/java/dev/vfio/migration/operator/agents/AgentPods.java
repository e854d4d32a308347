package dev.vfio.migration.operator.agents;

import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/**
 * Finds the agents: pods with the agents' label, the node they run on, their IP, and their port
 * named {@code control}.
 */
public final class AgentPods implements AutoCloseable {
  static final String CONTROL_PORT = "control";

  private final KubernetesClient client;
  private final String namespace;
  private final String selector;
  private final AgentDirectory directory;

  private volatile SharedIndexInformer<Pod> informer;

  /**
   * @param selector a label selector such as {@code app.kubernetes.io/component=node-agent}
   */
  public AgentPods(
      KubernetesClient client, String namespace, String selector, AgentDirectory directory) {
    this.client = client;
    this.namespace = namespace;
    this.selector = selector;
    this.directory = directory;
  }

  /**
   * Begins to follow the pods, unless it has begun; all that exist are located when this returns.
   */
  public synchronized void start() {
    if (informer != null) {
      return;
    }
    informer =
        client
            .pods()
            .inNamespace(namespace)
            .withLabelSelector(selector)
            .inform(
                new ResourceEventHandler<>() {
                  @Override
                  public void onAdd(Pod pod) {
                    locate(pod);
                  }

                  @Override
                  public void onUpdate(Pod before, Pod pod) {
                    locate(pod);
                  }

                  @Override
                  public void onDelete(Pod pod, boolean finalStateUnknown) {
                    locate(pod);
                  }
                });
    informer.getStore().list().forEach(this::locate);
  }

  private void locate(Pod changed) {
    SharedIndexInformer<Pod> found = informer;
    String node = changed.getSpec() == null ? null : changed.getSpec().getNodeName();
    if (node != null && found != null) {
      directory.locate(node, addressOn(node, found.getStore().list()));
    }
  }

  /** The address of the newest agent pod of {@code node} that runs. */
  static Optional<AgentAddress> addressOn(String node, Collection<Pod> pods) {
    return pods.stream()
        .filter(pod -> pod.getSpec() != null && node.equals(pod.getSpec().getNodeName()))
        .filter(pod -> pod.getMetadata().getDeletionTimestamp() == null)
        .filter(pod -> pod.getStatus() != null && pod.getStatus().getPodIP() != null && !ended(pod))
        .sorted(
            Comparator.comparing(
                    (Pod pod) ->
                        Optional.ofNullable(pod.getMetadata().getCreationTimestamp()).orElse(""))
                .reversed())
        .flatMap(
            pod ->
                controlPort(pod)
                    .map(port -> new AgentAddress(pod.getStatus().getPodIP(), port))
                    .stream())
        .findFirst();
  }

  private static boolean ended(Pod pod) {
    String phase = pod.getStatus().getPhase();
    return "Succeeded".equals(phase) || "Failed".equals(phase);
  }

  private static Optional<Integer> controlPort(Pod pod) {
    return pod.getSpec().getContainers().stream()
        .flatMap(container -> container.getPorts().stream())
        .filter(port -> CONTROL_PORT.equals(port.getName()))
        .map(ContainerPort::getContainerPort)
        .findFirst();
  }

  @Override
  public synchronized void close() {
    if (informer != null) {
      informer.stop();
    }
  }
}
