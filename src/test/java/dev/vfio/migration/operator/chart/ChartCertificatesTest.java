package dev.vfio.migration.operator.chart;

import static dev.vfio.migration.operator.chart.RenderedObjects.environment;
import static dev.vfio.migration.operator.chart.RenderedObjects.onlyContainer;
import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Helm keeps what it renders, hooks included, in a Secret for each revision, and so does every
 * backup: no key may be in it.
 */
class ChartCertificatesTest {
  private static final String NAME = "vfio-migration-certificates";

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tls: {operatorSecret: a, agentSecret: b}",
        "tls: {operatorSecret: '', agentSecret: ''}",
        "tls: {operatorSecret: '', agentSecret: '', generated: {nodeNamesWithDots: [a.b]}}",
      })
  void nothingThatIsRenderedHoldsAKey(String values) {
    String rendered =
        Chart.template(
            values,
            "{rbac: {aggregateToEdit: true, nodeViewer: true}, admission: {policy: {enabled:"
                + " true}}, agent: {kernelDevices: {enabled: true}}}");

    assertThat(rendered)
        .doesNotContain("PRIVATE KEY")
        // The same in base64, at each of the three places it can begin at.
        .doesNotContain("UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW")
        .doesNotContain("tls.key");
    assertThat(RenderedObjects.parse(rendered).all(Secret.class)).isEmpty();
  }

  /** Such a template would render something else for "helm template" than for a cluster. */
  @Test
  void noTemplateMakesAKeyOrLooksIntoTheCluster() throws IOException {
    try (Stream<Path> templates = Files.list(Chart.directory().resolve("templates"))) {
      for (Path template : templates.toList()) {
        assertThat(Files.readString(template))
            .as(template.toString())
            .doesNotContainPattern("\\b(gen[A-Z]\\w+|buildCustomCert|lookup|rand[A-Z]\\w+)\\b");
      }
    }
  }

  @Test
  void aJobMakesThemBeforeAnInstallationAndBeforeAnUpgrade() {
    RenderedObjects rendered = Chart.renderWithJob("");

    for (HasMetadata hook :
        List.of(
            rendered.named(ServiceAccount.class, NAME),
            rendered.named(Role.class, NAME),
            rendered.named(RoleBinding.class, NAME),
            rendered.named(Job.class, NAME))) {
      assertThat(hook.getMetadata().getAnnotations())
          .containsEntry("helm.sh/hook", "pre-install,pre-upgrade");
      assertThat(hook.getMetadata().getAnnotations().get("helm.sh/hook-delete-policy"))
          .as("its rights end with it: %s", hook.getKind())
          .contains("before-hook-creation", "hook-succeeded");
    }
    assertThat(weight(rendered.named(Role.class, NAME)))
        .isLessThan(weight(rendered.named(Job.class, NAME)));
    assertThat(Chart.render("").objects())
        .noneMatch(object -> NAME.equals(object.getMetadata().getName()));
  }

  @Test
  void theJobRunsTheOperatorsImageWithoutAnyPrivilege() {
    RenderedObjects rendered =
        Chart.renderWithJob("operator: {image: {repository: registry.example/op, tag: '7'}}");
    PodSpec pod = rendered.certificatesPod();
    Container container = onlyContainer(pod);

    assertThat(container.getImage())
        .isEqualTo(onlyContainer(rendered.operatorPod()).getImage())
        .isEqualTo("registry.example/op:7");
    assertThat(container.getArgs()).containsExactly("certificates");
    assertThat(pod.getServiceAccountName()).isEqualTo(NAME);
    assertThat(pod.getRestartPolicy()).isEqualTo("Never");
    assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(pod.getVolumes()).allSatisfy(volume -> assertThat(volume.getEmptyDir()).isNotNull());
    assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
    assertThat(rendered.named(Job.class, NAME).getSpec().getTemplate().getMetadata().getLabels())
        .as("the network policies of operator and agents are not for it")
        .containsEntry("app.kubernetes.io/component", "certificates");
  }

  @Test
  void theJobWritesTheSecretsThatThePodsMountAndMayReadNoOther() {
    RenderedObjects rendered =
        Chart.renderWithJob(
            "tls: {generated: {validityDays: 3650, nodeNamesWithDots: [a.b.example, c.d]}}");
    Map<String, String> environment =
        environment(rendered.certificatesPod()).entrySet().stream()
            .filter(variable -> variable.getKey().startsWith("CERTIFICATES_"))
            .collect(
                Collectors.toMap(Map.Entry::getKey, variable -> variable.getValue().getValue()));

    assertThat(environment)
        .containsOnly(
            Map.entry("CERTIFICATES_NAMESPACE", Chart.NAMESPACE),
            Map.entry("CERTIFICATES_AUTHORITY_SECRET", "vfio-migration-ca"),
            Map.entry("CERTIFICATES_OPERATOR_SECRET", mounted(rendered.operatorPod())),
            Map.entry("CERTIFICATES_AGENT_SECRET", mounted(rendered.agentPod())),
            Map.entry("CERTIFICATES_VALIDITY_DAYS", "3650"),
            Map.entry("CERTIFICATES_NODE_NAMES_WITH_DOTS", "a.b.example,c.d"));
    assertThat(rendered.named(Role.class, NAME).getMetadata().getNamespace())
        .isEqualTo(Chart.NAMESPACE);
    assertThat(ChartAccessTest.grants(rendered.named(Role.class, NAME).getRules()))
        .containsExactlyInAnyOrder(
            "create secrets",
            "get secrets vfio-migration-agent-tls",
            "get secrets vfio-migration-ca",
            "get secrets vfio-migration-operator-tls",
            "update secrets vfio-migration-agent-tls",
            "update secrets vfio-migration-ca",
            "update secrets vfio-migration-operator-tls");
    assertThat(rendered.named(RoleBinding.class, NAME).getSubjects())
        .singleElement()
        .satisfies(subject -> assertThat(subject.getName()).isEqualTo(NAME));
  }

  @Test
  void theKeyOfTheAuthorityReachesNoPod() {
    RenderedObjects rendered = Chart.renderWithJob("");
    assertThat(rendered.operatorPod().getVolumes().toString()).doesNotContain("vfio-migration-ca");
    assertThat(rendered.agentPod().getVolumes().toString()).doesNotContain("vfio-migration-ca");
  }

  private static int weight(HasMetadata hook) {
    return Integer.parseInt(hook.getMetadata().getAnnotations().get("helm.sh/hook-weight"));
  }

  private static String mounted(PodSpec pod) {
    return pod.getVolumes().stream()
        .filter(volume -> volume.getSecret() != null)
        .map(volume -> volume.getSecret().getSecretName())
        .collect(Collectors.joining());
  }
}
