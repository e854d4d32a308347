package dev.vfio.migration.operator.chart;

import static dev.vfio.migration.operator.chart.RenderedObjects.environment;
import static dev.vfio.migration.operator.chart.RenderedObjects.onlyContainer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.LintResult;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The pods that the chart makes, and what it refuses. */
class ChartTest {

  @Test
  void helmFindsNothingToComplainAbout() {
    LintResult result = new Helm(Chart.directory()).lint().strict().call();

    assertThat(result.isFailed()).as(String.join("\n", result.getMessages())).isFalse();
  }

  @Test
  void theOperatorRunsWithoutAnyPrivilege() {
    PodSpec pod = Chart.render("").operatorPod();
    Container container = onlyContainer(pod);

    assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
    assertThat(pod.getHostPID()).isNull();
    assertThat(pod.getHostNetwork()).isNull();
    assertThat(pod.getVolumes()).extracting(Volume::getHostPath).containsOnlyNulls();
    assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
    assertThat(container.getSecurityContext().getCapabilities().getAdd()).isEmpty();
    assertThat(container.getSecurityContext().getPrivileged()).isNull();
  }

  @Test
  void theAgentIsNotPrivilegedUntilItIsToReachDevicesOfTheKernel() {
    PodSpec pod = Chart.render("").agentPod();
    Container container = onlyContainer(pod);

    assertThat(pod.getHostPID()).isNull();
    assertThat(pod.getHostNetwork()).isNull();
    assertThat(container.getSecurityContext().getPrivileged()).isFalse();
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
    assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
    assertThat(container.getSecurityContext().getCapabilities().getAdd())
        .containsExactly("DAC_OVERRIDE");
    assertThat(hostPaths(pod))
        .containsOnly(
            Map.entry("journal", "/var/lib/vfio-migration"),
            Map.entry("vfio-user", "/run/vfio-user"));
  }

  @Test
  void devicesOfTheKernelTakeProcessIdsPtraceTheDeviceFilesAndTheFreezer() {
    PodSpec pod = Chart.render("agent: {kernelDevices: {enabled: true}}").agentPod();
    Container container = onlyContainer(pod);

    assertThat(pod.getHostPID()).isTrue();
    assertThat(container.getSecurityContext().getPrivileged()).isTrue();
    assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
    assertThat(container.getSecurityContext().getCapabilities().getAdd())
        .containsExactly("SYS_PTRACE");
    assertThat(hostPaths(pod))
        .contains(
            Map.entry("vfio", "/dev/vfio"),
            Map.entry("handover", "/run/vfio-migration/devices"),
            Map.entry("cgroup", "/sys/fs/cgroup"));
    assertThat(environment(pod).get("AGENT_KERNEL_DEVICES").getValue()).isEqualTo("true");
  }

  @Test
  void theAgentFindsTheHostsDirectoriesWhereItLooksForThem() {
    PodSpec pod =
        Chart.render(
                "agent: {kernelDevices: {enabled: true, handoverDirectory: /srv/devices,"
                    + " cgroupDirectory: /sys/fs/cgroup/unified}}")
            .agentPod();
    for (Map.Entry<String, String> directory :
        Map.of("AGENT_HANDOVER_DIRECTORY", "handover", "AGENT_CGROUP_DIRECTORY", "cgroup")
            .entrySet()) {
      String looksAt = environment(pod).get(directory.getKey()).getValue();
      assertThat(hostPaths(pod)).containsEntry(directory.getValue(), looksAt);
      assertThat(onlyContainer(pod).getVolumeMounts())
          .anyMatch(
              mount ->
                  mount.getName().equals(directory.getValue())
                      && mount.getMountPath().equals(looksAt));
    }
    assertThat(hostPaths(pod)).containsEntry("handover", "/srv/devices");
  }

  @Test
  void usersThatMayWaitForADeviceAreWrittenAsTheyAre() {
    PodSpec pod =
        Chart.render("agent: {kernelDevices: {enabled: true, handoverUsers: [1000, 1000680000]}}")
            .agentPod();
    assertThat(environment(pod).get("AGENT_HANDOVER_USERS").getValue())
        .isEqualTo("1000,1000680000");
    assertThat(environment(Chart.render("agent: {kernelDevices: {enabled: true}}").agentPod()))
        .doesNotContainKey("AGENT_HANDOVER_USERS");
  }

  @Test
  void whatAWorkloadIsHandedWithItsDeviceCanBeSaid() {
    for (String access : List.of("auto", "group", "cdev")) {
      assertThat(
              environment(
                      Chart.render(
                              "agent: {kernelDevices: {enabled: true, access: " + access + "}}")
                          .agentPod())
                  .get("AGENT_DEVICE_ACCESS")
                  .getValue())
          .isEqualTo(access);
    }
  }

  @Test
  void anAgentWithoutTheMeansDoesNotLookForDevicesOfTheKernel() {
    Map<String, EnvVar> environment = environment(Chart.render("").agentPod());
    assertThat(environment.get("AGENT_KERNEL_DEVICES").getValue()).isEqualTo("false");
    assertThat(environment).doesNotContainKeys("AGENT_HANDOVER_DIRECTORY", "AGENT_STATE_HOST");
  }

  @Test
  void valuesOfAnOlderReleaseAreEnough() {
    PodSpec pod =
        Chart.render(
                "agent: {kernelDevices: {enabled: true, access: null, handoverDirectory: null,"
                    + " cgroupDirectory: null}}")
            .agentPod();
    assertThat(hostPaths(pod))
        .containsEntry("handover", "/run/vfio-migration/devices")
        .containsEntry("cgroup", "/sys/fs/cgroup");
    assertThat(environment(pod).get("AGENT_DEVICE_ACCESS").getValue()).isEqualTo("auto");
  }

  @Test
  void theNetworkOfTheStateMayNameTheNode() {
    PodSpec pod =
        Chart.render("agent: {stateHost: $(AGENT_NODE_NAME).storage.example.org}").agentPod();
    List<EnvVar> environment = onlyContainer(pod).getEnv();
    List<String> names = environment.stream().map(EnvVar::getName).toList();
    assertThat(environment(pod).get("AGENT_STATE_HOST").getValue())
        .isEqualTo("$(AGENT_NODE_NAME).storage.example.org");
    assertThat(names.indexOf("AGENT_STATE_HOST"))
        .as("only variables before it are put in")
        .isGreaterThan(names.indexOf("AGENT_NODE_NAME"));
  }

  /** Kubernetes would set AGENT_PORT for a Service that somebody calls "agent". */
  @Test
  void noServiceOfTheNamespaceGivesAPodVariables() {
    RenderedObjects rendered = Chart.render("agent: {kernelDevices: {enabled: true}}");
    assertThat(rendered.operatorPod().getEnableServiceLinks()).isFalse();
    assertThat(rendered.agentPod().getEnableServiceLinks()).isFalse();
  }

  @Test
  void agentsCanNameEveryFile() {
    assertThat(environment(Chart.render("").agentPod()).get("LC_ALL").getValue())
        .isEqualTo("C.UTF-8");
  }

  @Test
  void agentsHoldNoCredentialForTheApiServer() {
    RenderedObjects rendered = Chart.render("agent: {kernelDevices: {enabled: true}}");

    assertThat(rendered.agentPod().getAutomountServiceAccountToken()).isFalse();
    assertThat(
            rendered
                .named(ServiceAccount.class, "vfio-migration-agent")
                .getAutomountServiceAccountToken())
        .isFalse();
  }

  @Test
  void memoryFilesAppearToTheAgentUnderThePathThatTheWorkloadNames() {
    PodSpec pod =
        Chart.render("agent: {memoryDirectories: [/dev/hugepages/a, /dev/shm/b]}").agentPod();

    assertThat(hostPaths(pod))
        .contains(Map.entry("memory-0", "/dev/hugepages/a"), Map.entry("memory-1", "/dev/shm/b"));
    assertThat(environment(pod).get("AGENT_MEMORY_DIRECTORIES").getValue())
        .as("the agent opens windows beneath them and nowhere else")
        .isEqualTo("/dev/hugepages/a,/dev/shm/b");
    assertThat(environment(Chart.render("").agentPod()))
        .doesNotContainKey("AGENT_MEMORY_DIRECTORIES");
    onlyContainer(pod)
        .getVolumeMounts()
        .forEach(
            mount -> {
              String hostPath = hostPaths(pod).get(mount.getName());
              if (hostPath != null) {
                assertThat(mount.getMountPath()).isEqualTo(hostPath);
              }
            });
  }

  @Test
  void theOperatorFindsTheAgentByLabelAndPortName() {
    RenderedObjects rendered =
        Chart.render("agent: {ports: {control: 19443, state: 19444, health: 19000}}");
    DaemonSet agents = rendered.named(DaemonSet.class, "vfio-migration-agent");

    String selector = environment(rendered.operatorPod()).get("OPERATOR_AGENT_SELECTOR").getValue();
    assertThat(agents.getSpec().getTemplate().getMetadata().getLabels().entrySet().stream())
        .map(label -> label.getKey() + "=" + label.getValue())
        .contains(selector.split(","));
    assertThat(selector).contains("app.kubernetes.io/component=node-agent");
    assertThat(
            onlyContainer(rendered.agentPod()).getPorts().stream()
                .collect(Collectors.toMap(ContainerPort::getName, ContainerPort::getContainerPort)))
        .containsOnly(
            Map.entry("control", 19443), Map.entry("state", 19444), Map.entry("health", 19000));
  }

  @Test
  void aNodeNeverRunsTwoAgentsWhileTheyAreReplaced() {
    DaemonSet agents = Chart.render("").named(DaemonSet.class, "vfio-migration-agent");

    assertThat(agents.getSpec().getUpdateStrategy().getType()).isEqualTo("RollingUpdate");
    assertThat(agents.getSpec().getUpdateStrategy().getRollingUpdate().getMaxSurge())
        .isEqualTo(new IntOrString(0));
    assertThat(agents.getSpec().getUpdateStrategy().getRollingUpdate().getMaxUnavailable())
        .isEqualTo(new IntOrString(1));

    DaemonSet byHand =
        Chart.render("agent: {updateStrategy: {type: OnDelete}}")
            .named(DaemonSet.class, "vfio-migration-agent");
    assertThat(byHand.getSpec().getUpdateStrategy().getType()).isEqualTo("OnDelete");
    assertThat(byHand.getSpec().getUpdateStrategy().getRollingUpdate()).isNull();
  }

  @Test
  void aDrainLeavesOneOfTwoOperatorsAndIsNotBlockedByASingleOne() {
    RenderedObjects two = Chart.render("");
    RenderedObjects one = Chart.render("operator: {replicas: 1}");

    assertThat(two.all(Deployment.class)).hasSize(1);
    assertThat(two.named(Deployment.class, "vfio-migration-operator").getSpec().getReplicas())
        .isEqualTo(2);
    assertThat(
            two.named(PodDisruptionBudget.class, "vfio-migration-operator")
                .getSpec()
                .getMaxUnavailable())
        .isEqualTo(new IntOrString(1));
    assertThat(one.all(PodDisruptionBudget.class)).isEmpty();
  }

  @Test
  void bothPodsReadTheirOwnCertificateAndNoOther() {
    RenderedObjects rendered = Chart.render("");

    assertThat(secretNames(rendered.operatorPod())).containsExactly("operator-certificate");
    assertThat(secretNames(rendered.agentPod())).containsExactly("agent-certificate");
    assertThat(environment(rendered.operatorPod()).get("OPERATOR_TLS_DIRECTORY").getValue())
        .isEqualTo("/etc/vfio-migration/tls");
    assertThat(environment(rendered.agentPod()).get("AGENT_TLS_DIRECTORY").getValue())
        .isEqualTo("/etc/vfio-migration/tls");
  }

  @Test
  void onTheHostsNetworkTheAgentListensOnThePodsAddressOnly() {
    RenderedObjects rendered = Chart.render("agent: {hostNetwork: true}");
    EnvVar address = environment(rendered.agentPod()).get("AGENT_LISTEN_ADDRESS");

    assertThat(rendered.agentPod().getHostNetwork()).isTrue();
    assertThat(address.getValueFrom().getFieldRef().getFieldPath()).isEqualTo("status.podIP");
    assertThat(environment(Chart.render("").agentPod())).doesNotContainKey("AGENT_LISTEN_ADDRESS");
  }

  @Test
  void aDigestWinsOverATag() {
    String digest = "sha256:" + "0123456789abcdef".repeat(4);
    PodSpec pod =
        Chart.render("operator: {image: {repository: a/b, tag: x, digest: \"" + digest + "\"}}")
            .operatorPod();

    assertThat(onlyContainer(pod).getImage()).isEqualTo("a/b@" + digest);
    assertThat(onlyContainer(Chart.render("").agentPod()).getImage())
        .isEqualTo("vfio-migration-agent:0.1.0");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          operator: {replicas: 3}                            | /operator/replicas
          operator: {replicas: 0}                            | /operator/replicas
          operator: {replica: 1}                             | 'replica'
          operator: {image: {repository: ''}}                | /operator/image/repository
          operator: {image: {digest: 'sha256:12'}}           | /operator/image/digest
          operator: {logLevel: LOUD}                         | /operator/logLevel
          agent: {journalDirectory: journal}                 | /agent/journalDirectory
          agent: {vfioUserDirectory: /run/../etc}            | /agent/vfioUserDirectory
          agent: {memoryDirectories: [/]}                    | /agent/memoryDirectories/0
          agent: {ports: {control: 80}}                      | /agent/ports/control
          agent: {kernelDevices: true}                       | /agent/kernelDevices
          agent: {kernelDevices: {access: iommufd}}          | /agent/kernelDevices/access
          agent: {kernelDevices: {cgroupDirectory: cgroup}}  | /agent/kernelDevices/cgroupDirectory
          agent: {stateHost: a b}                            | /agent/stateHost
          agent: {updateStrategy: {type: Recreate}}          | /agent/updateStrategy/type
          agent: {updateStrategy: {maxUnavailable: 0}}       | /agent/updateStrategy/maxUnavailable
          agent: {tolerations: [{operator: Sometimes}]}      | /agent/tolerations/0/operator
          tls: {generated: {validityDays: 1}}                | /tls/generated/validityDays
          tls: {generated: {nodeNamesWithDots: [plain]}}     | /tls/generated/nodeNamesWithDots/0
          tls: {generated: {validityDays: 3651}}             | /tls/generated/validityDays
          admission: {adminNamespaces: ops}                  | /admission/adminNamespaces
          admission: {adminNamespaces: [Ops]}                | /admission/adminNamespaces/0
          admission: {adminNamespaces: ['team-*']}           | /admission/adminNamespaces/0
          admission: {adminNamespaces: ['']}                 | /admission/adminNamespaces/0
          admission: {adminNamespace: [ops]}                 | 'adminNamespace'
          admission: {policy: true}                          | /admission/policy
          admission: {policy: {enabled: 'yes'}}              | /admission/policy/enabled
          networkPolicy: {stateCidrs: [10.0.0.1]}            | /networkPolicy/stateCidrs/0
          networkPolicy: {stateCidrs: [10.0.0.0/33]}         | /networkPolicy/stateCidrs/0
          networkPolicy: {dnsPorts: []}                      | /networkPolicy/dnsPorts
          networkPolicies: {enabled: false}                  | 'networkPolicies'
          """)
  void aWrongValueIsRefusedByName(String values, String complaint) {
    assertThatThrownBy(() -> Chart.render(values))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(complaint);
  }

  @Test
  void certificatesAreGivenForBothSidesOrForNone() {
    assertThatThrownBy(() -> Chart.render("tls: {agentSecret: ''}"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("tls.operatorSecret and tls.agentSecret: give both");
  }

  private static Map<String, String> hostPaths(PodSpec pod) {
    return pod.getVolumes().stream()
        .filter(volume -> volume.getHostPath() != null)
        .collect(Collectors.toMap(Volume::getName, volume -> volume.getHostPath().getPath()));
  }

  private static List<String> secretNames(PodSpec pod) {
    return pod.getVolumes().stream()
        .filter(volume -> volume.getSecret() != null)
        .map(volume -> volume.getSecret().getSecretName())
        .toList();
  }
}
