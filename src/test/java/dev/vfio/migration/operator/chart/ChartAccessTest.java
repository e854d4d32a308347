package dev.vfio.migration.operator.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.admissionregistration.v1.ValidatingAdmissionPolicy;
import io.fabric8.kubernetes.api.model.admissionregistration.v1.ValidatingAdmissionPolicyBinding;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyEgressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicySpec;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.api.model.rbac.Subject;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who may do what at the API server, and who may reach whom on the network. */
class ChartAccessTest {

  private static final String OPERATOR = "vfio-migration-operator";

  private final RenderedObjects rendered = Chart.render("");

  @Test
  void acrossNamespacesTheOperatorHandlesMigrationsEventsAndWhatNodesHaveAlone() {
    assertThat(grants(rendered.named(ClusterRole.class, OPERATOR).getRules()))
        .containsExactly(
            "create events.events.k8s.io",
            "create vfionodes.migration.vfio.dev",
            "delete devicemigrations.migration.vfio.dev",
            "delete vfionodes.migration.vfio.dev",
            "get devicemigrations.migration.vfio.dev",
            "get vfionodes.migration.vfio.dev",
            "list devicemigrations.migration.vfio.dev",
            "list vfionodes.migration.vfio.dev",
            "patch devicemigrations.migration.vfio.dev",
            "patch devicemigrations/status.migration.vfio.dev",
            "patch vfionodes/status.migration.vfio.dev",
            "watch devicemigrations.migration.vfio.dev");
  }

  @Test
  void podsAndTheLeaseAreReadInItsOwnNamespaceOnly() {
    Role role = rendered.named(Role.class, OPERATOR);

    assertThat(role.getMetadata().getNamespace()).isEqualTo(Chart.NAMESPACE);
    assertThat(grants(role.getRules()))
        .containsExactly(
            "create leases.coordination.k8s.io",
            "get leases.coordination.k8s.io vfio-migration-operator",
            "get pods",
            "list pods",
            "patch leases.coordination.k8s.io vfio-migration-operator",
            "update leases.coordination.k8s.io vfio-migration-operator",
            "watch pods");
  }

  @Test
  void noRoleHoldsAWildcardAndNoneThatLastsReadsSecrets() {
    RenderedObjects everything =
        Chart.renderWithJob(
            "{rbac: {aggregateToEdit: true, nodeViewer: true}, admission: {policy: {enabled:"
                + " true}}}");
    List<HasMetadata> roles =
        Stream.<HasMetadata>concat(
                everything.all(ClusterRole.class).stream(), everything.all(Role.class).stream())
            .toList();

    assertThat(roles).hasSize(6);
    for (HasMetadata role : roles) {
      Set<String> grants =
          grants(
              role instanceof ClusterRole cluster ? cluster.getRules() : ((Role) role).getRules());
      assertThat(grants).isNotEmpty().noneMatch(grant -> grant.contains("*"));
      if (!role.getMetadata().getAnnotations().containsKey("helm.sh/hook")) {
        assertThat(grants).noneMatch(grant -> grant.contains("secrets"));
      }
    }
  }

  @Test
  void rolesAreBoundToTheOperatorAndToNobodyElse() {
    List<Subject> subjects =
        Stream.concat(
                rendered.all(ClusterRoleBinding.class).stream()
                    .flatMap(binding -> binding.getSubjects().stream()),
                rendered.all(RoleBinding.class).stream()
                    .flatMap(binding -> binding.getSubjects().stream()))
            .toList();

    assertThat(subjects)
        .hasSize(2)
        .allSatisfy(
            subject -> {
              assertThat(subject.getKind()).isEqualTo("ServiceAccount");
              assertThat(subject.getName()).isEqualTo(OPERATOR);
              assertThat(subject.getNamespace()).isEqualTo(Chart.NAMESPACE);
            });
  }

  @Test
  void usersNeverWriteTheStatus() {
    ClusterRole edit =
        Chart.render("rbac: {aggregateToEdit: true}")
            .named(ClusterRole.class, "vfio-migration-edit");

    assertThat(grants(edit.getRules()))
        .contains("create devicemigrations.migration.vfio.dev")
        .noneMatch(grant -> grant.contains("status"));
    assertThat(rendered.all(ClusterRole.class)).hasSize(1);
  }

  /**
   * The expressions themselves are evaluated where there is an interpreter for them: with the
   * sandbox's API server.
   */
  @Test
  void withThePolicyWhoeverSaysWhatIsMovedNeedsAVerbOnBothNodes() {
    RenderedObjects with = Chart.render("admission: {policy: {enabled: true}}");
    String name = "vfio-migration-migrate";
    var policy = with.named(ValidatingAdmissionPolicy.class, name).getSpec();
    var resources = policy.getMatchConstraints().getResourceRules();

    assertThat(policy.getFailurePolicy()).isEqualTo("Fail");
    assertThat(resources).hasSize(1);
    assertThat(resources.get(0).getApiGroups()).containsExactly("migration.vfio.dev");
    assertThat(resources.get(0).getResources())
        .as("not the status, which the operator writes")
        .containsExactly("devicemigrations");
    assertThat(resources.get(0).getOperations())
        .as("whoever may delete may cancel")
        .containsExactly("CREATE", "UPDATE");
    assertThat(policy.getMatchConditions()).hasSize(1);
    assertThat(policy.getValidations())
        .extracting(validation -> validation.getExpression())
        .containsExactly(needs("source"), needs("destination"));
    assertThat(policy.getValidations())
        .allSatisfy(
            validation -> {
              assertThat(validation.getMessage()).doesNotContain("\n").endsWith(".");
              assertThat(validation.getReason()).isEqualTo("Forbidden");
            });
    var binding = with.named(ValidatingAdmissionPolicyBinding.class, name).getSpec();
    assertThat(binding.getPolicyName()).isEqualTo(name);
    assertThat(binding.getValidationActions()).containsExactly("Deny");
    assertThat(binding.getMatchResources()).as("no namespace is left out").isNull();
    assertThat(grants(with.named(ClusterRole.class, name).getRules()))
        .containsExactly("migrate vfionodes.migration.vfio.dev");
    assertThat(with.named(ClusterRole.class, name).getMetadata().getLabels().keySet())
        .noneMatch(label -> label.contains("aggregate-to"));

    assertThat(rendered.all(ValidatingAdmissionPolicy.class)).as("off by default").isEmpty();
    assertThat(rendered.all(ValidatingAdmissionPolicyBinding.class)).isEmpty();
  }

  private static String needs(String side) {
    return "authorizer.group('migration.vfio.dev').resource('vfionodes').name(object.spec."
        + side
        + ".nodeName).check('migrate').allowed()";
  }

  @Test
  void theReleasesOwnNamespaceIsAllowedWhereNoneIsListed() {
    assertThat(adminNamespaces("")).isEqualTo(Chart.NAMESPACE);
    assertThat(adminNamespaces("admission: null")).isEqualTo(Chart.NAMESPACE);
    assertThat(adminNamespaces("admission: {adminNamespaces: [ops, team-a]}"))
        .isEqualTo("ops,team-a");
    assertThat(adminNamespaces("admission: {adminNamespaces: ['*']}")).isEqualTo("*");
  }

  private static String adminNamespaces(String values) {
    return RenderedObjects.environment(Chart.render(values).operatorPod())
        .get("OPERATOR_ADMIN_NAMESPACES")
        .getValue();
  }

  @Test
  void whoeverIsBoundToItReadsNodesAndNothingElse() {
    ClusterRole viewer =
        Chart.render("rbac: {nodeViewer: true}")
            .named(ClusterRole.class, "vfio-migration-node-viewer");

    assertThat(grants(viewer.getRules()))
        .containsExactly(
            "get vfionodes.migration.vfio.dev",
            "list vfionodes.migration.vfio.dev",
            "watch vfionodes.migration.vfio.dev");
    assertThat(viewer.getMetadata().getLabels().keySet())
        .noneMatch(label -> label.contains("aggregate-to"));
  }

  @Test
  void agentsAcceptControlFromTheOperatorAndStateFromAgentsAndCallAgentsAlone() {
    NetworkPolicy policy = rendered.named(NetworkPolicy.class, "vfio-migration-agent");

    assertThat(policy.getSpec().getPodSelector().getMatchLabels())
        .containsEntry("app.kubernetes.io/component", "node-agent");
    assertThat(policy.getSpec().getPolicyTypes()).containsExactly("Ingress", "Egress");
    assertThat(policy.getSpec().getIngress().stream().map(ChartAccessTest::describe))
        .containsExactly("control from operator", "state from node-agent");
    assertThat(policy.getSpec().getEgress()).hasSize(1);
    assertThat(policy.getSpec().getEgress().get(0).getPorts().get(0).getPort().getIntVal())
        .isEqualTo(9444);
    assertThat(component(policy.getSpec().getEgress().get(0).getTo())).isEqualTo("node-agent");
  }

  @Test
  void overAnotherNetworkStateMayComeAndGoAndNamesBeAskedFor() {
    NetworkPolicySpec anywhere = agents("agent: {stateHost: $(AGENT_NODE_NAME).storage.example}");

    assertThat(anywhere.getIngress().stream().map(ChartAccessTest::ports))
        .containsExactly("TCP control", "TCP state", "TCP state");
    assertThat(anywhere.getIngress().get(2).getFrom()).isEmpty();
    assertThat(anywhere.getEgress().stream().map(ChartAccessTest::ports))
        .containsExactly("TCP 9444", "TCP 9444", "UDP 53, TCP 53");
    assertThat(anywhere.getEgress().get(1).getTo()).isEmpty();
    assertThat(anywhere.getEgress().get(2).getTo()).isEmpty();

    NetworkPolicySpec known =
        agents(
            "{agent: {stateHost: '$(AGENT_NODE_NAME).example', ports: {state: 19444}},"
                + " networkPolicy: {stateCidrs: [10.20.0.0/16, 'fd00:20::/32'], dnsPorts: [5353],"
                + " metricsFrom: [{podSelector: {}}]}}");
    assertThat(known.getIngress().stream().map(ChartAccessTest::ports))
        .containsExactly("TCP control", "TCP state", "TCP state", "TCP health");
    assertThat(blocks(known.getIngress().get(2).getFrom()))
        .containsExactly("10.20.0.0/16", "fd00:20::/32");
    assertThat(known.getEgress().stream().map(ChartAccessTest::ports))
        .containsExactly("TCP 19444", "TCP 19444", "UDP 5353, TCP 5353");
    assertThat(blocks(known.getEgress().get(1).getTo()))
        .containsExactly("10.20.0.0/16", "fd00:20::/32");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          networkPolicy: {stateCidrs: [10.0.0.0/8]}                  | networkPolicy.stateCidrs: only with agent.stateHost
          agent: {extraEnv: [{name: AGENT_STATE_HOST, value: a}]}    | set agent.stateHost instead
          """)
  void whatThePoliciesCannotKnowIsRefused(String values, String complaint) {
    assertThatThrownBy(() -> Chart.render(values))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(complaint);
  }

  private static NetworkPolicySpec agents(String values) {
    return Chart.render(values).named(NetworkPolicy.class, "vfio-migration-agent").getSpec();
  }

  private static List<String> blocks(List<NetworkPolicyPeer> peers) {
    return peers.stream().map(peer -> peer.getIpBlock().getCidr()).toList();
  }

  private static String ports(NetworkPolicyIngressRule rule) {
    return ports(rule.getPorts());
  }

  private static String ports(NetworkPolicyEgressRule rule) {
    return ports(rule.getPorts());
  }

  private static String ports(List<NetworkPolicyPort> ports) {
    return ports.stream()
        .map(port -> port.getProtocol() + " " + port.getPort().getValue())
        .collect(Collectors.joining(", "));
  }

  @Test
  void nobodyReachesTheOperatorUntilMetricsAreToBeRead() {
    NetworkPolicy closed = rendered.named(NetworkPolicy.class, OPERATOR);
    NetworkPolicy open =
        Chart.render(
                "networkPolicy: {metricsFrom: [{namespaceSelector: {matchLabels: {team: sre}}}]}")
            .named(NetworkPolicy.class, OPERATOR);

    assertThat(closed.getSpec().getPolicyTypes()).contains("Ingress");
    assertThat(closed.getSpec().getIngress()).isEmpty();
    assertThat(open.getSpec().getIngress()).hasSize(1);
    assertThat(open.getSpec().getIngress().get(0).getPorts().get(0).getPort().getStrVal())
        .isEqualTo("health");
  }

  @Test
  void withoutPoliciesNoneIsMade() {
    assertThat(Chart.render("networkPolicy: {enabled: false}").all(NetworkPolicy.class)).isEmpty();
  }

  private static String describe(NetworkPolicyIngressRule rule) {
    assertThat(rule.getPorts()).hasSize(1);
    return rule.getPorts().get(0).getPort().getStrVal() + " from " + component(rule.getFrom());
  }

  private static String component(List<NetworkPolicyPeer> peers) {
    assertThat(peers).hasSize(1);
    assertThat(peers.get(0).getNamespaceSelector()).isNull();
    assertThat(peers.get(0).getIpBlock()).isNull();
    return peers.get(0).getPodSelector().getMatchLabels().get("app.kubernetes.io/component");
  }

  /** One line for each thing that is allowed: verb, resource with its group, name if limited. */
  static Set<String> grants(List<PolicyRule> rules) {
    Set<String> grants = new TreeSet<>();
    for (PolicyRule rule : rules) {
      List<String> names =
          rule.getResourceNames().isEmpty() ? List.of("") : rule.getResourceNames();
      for (String verb : rule.getVerbs()) {
        for (String resource : rule.getResources()) {
          for (String group : rule.getApiGroups()) {
            for (String name : names) {
              String qualified = group.isEmpty() ? resource : resource + "." + group;
              grants.add((verb + " " + qualified + " " + name).strip());
            }
          }
        }
      }
    }
    return grants;
  }
}
