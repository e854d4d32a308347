package dev.vfio.migration.operator.chart;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.api.model.rbac.Subject;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

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
  void noRoleHoldsAWildcardAndNoneReadsSecrets() {
    RenderedObjects everything = Chart.render("rbac: {aggregateToEdit: true, nodeViewer: true}");
    List<PolicyRule> rules =
        Stream.concat(
                everything.all(ClusterRole.class).stream().flatMap(r -> r.getRules().stream()),
                everything.all(Role.class).stream().flatMap(r -> r.getRules().stream()))
            .toList();

    assertThat(rules).isNotEmpty();
    assertThat(grants(rules))
        .noneMatch(grant -> grant.contains("*"))
        .noneMatch(grant -> grant.contains("secrets"));
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
  private static Set<String> grants(List<PolicyRule> rules) {
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
