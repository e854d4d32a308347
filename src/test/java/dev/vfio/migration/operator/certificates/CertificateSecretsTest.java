package dev.vfio.migration.operator.certificates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.certificates.CertificateSecrets.UnusableSecretException;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The authority and the certificates that are made where none are given. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CertificateSecretsTest {
  private static final String AUTHORITY = "vfio-migration-ca";
  private static final String OPERATOR = "vfio-migration-operator-tls";
  private static final String AGENT = "vfio-migration-agent-tls";
  private static final List<String> ALL = List.of(AUTHORITY, OPERATOR, AGENT);
  private static final Instant NOW = Instant.parse("2026-06-01T00:00:00Z");
  private static final int DNS_NAME = 2;

  private final List<String> told = new ArrayList<>();
  private SecretsServer cluster;
  private KubernetesClient client;

  @BeforeEach
  void start() throws IOException {
    cluster = new SecretsServer();
    client =
        new KubernetesClientBuilder()
            .withConfig(
                new ConfigBuilder()
                    .withMasterUrl(cluster.url())
                    .withRequestRetryBackoffLimit(0)
                    .build())
            .build();
  }

  @AfterEach
  void stop() {
    client.close();
    cluster.close();
  }

  private void ensure(Instant now, int days, String... nodeNamesWithDots)
      throws GeneralSecurityException, UnusableSecretException {
    Request request =
        new Request(
            SecretsServer.NAMESPACE,
            AUTHORITY,
            OPERATOR,
            AGENT,
            Duration.ofDays(days),
            List.of(nodeNamesWithDots));
    new CertificateSecrets(client, request, now, told::add).ensure();
  }

  @Test
  void bothSidesGetTheirNamesFromOneAuthority() throws Exception {
    ensure(NOW, 365, "a.b.example");
    X509Certificate authority = certificate(AUTHORITY, "tls.crt");

    assertThat(cluster.writes())
        .containsExactly("create " + AUTHORITY, "create " + OPERATOR, "create " + AGENT);
    assertThat(names(certificate(OPERATOR, "tls.crt")))
        .containsExactly("operator.migration.vfio.dev");
    assertThat(names(certificate(AGENT, "tls.crt")))
        .containsExactly("*.node.migration.vfio.dev", "a.b.example.node.migration.vfio.dev");
    for (String name : List.of(OPERATOR, AGENT)) {
      X509Certificate certificate = certificate(name, "tls.crt");
      certificate.verify(authority.getPublicKey());
      assertThat(certificate(name, "ca.crt")).isEqualTo(authority);
      assertThat(certificate.getExtendedKeyUsage())
          .contains("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
      assertThat(certificate.getBasicConstraints()).isNegative();
      assertThat(cluster.get(name).getType()).isEqualTo("kubernetes.io/tls");
    }
    assertThat(authority.getBasicConstraints()).isNotNegative();
    assertThat(cluster.get(AUTHORITY).getMetadata().getAnnotations())
        .containsEntry("helm.sh/resource-policy", "keep");
  }

  @Test
  void theOperatorReadsWhatIsMade(@TempDir Path directory) throws Exception {
    ensure(NOW, 365);
    for (Map.Entry<String, String> file : cluster.get(OPERATOR).getData().entrySet()) {
      Files.write(directory.resolve(file.getKey()), Base64.getDecoder().decode(file.getValue()));
    }

    assertThat(new TlsFiles(directory, Clock.fixed(NOW, ZoneOffset.UTC)).context().isClient())
        .isTrue();
    assertThat(Files.readString(directory.resolve("tls.key")))
        .startsWith("-----BEGIN PRIVATE KEY-----\n")
        .endsWith("-----END PRIVATE KEY-----\n");
  }

  @Test
  void theNextRunKeepsWhatIsThere() throws Exception {
    ensure(NOW, 365);
    List<Secret> before = ALL.stream().map(cluster::get).toList();
    cluster.writes();

    ensure(NOW.plus(Duration.ofDays(240)), 365);

    assertThat(cluster.writes()).isEmpty();
    assertThat(ALL.stream().map(cluster::get).toList()).isEqualTo(before);
  }

  @Test
  void afterTwoThirdsOfItsLifeACertificateIsRenewedUnderTheSameAuthority() throws Exception {
    ensure(NOW, 90);
    X509Certificate authority = certificate(AUTHORITY, "tls.crt");
    X509Certificate before = certificate(AGENT, "tls.crt");
    cluster.writes();

    ensure(NOW.plus(Duration.ofDays(59)), 90);
    assertThat(cluster.writes()).isEmpty();
    ensure(NOW.plus(Duration.ofDays(61)), 90);

    assertThat(cluster.writes()).containsExactly("update " + OPERATOR, "update " + AGENT);
    X509Certificate renewed = certificate(AGENT, "tls.crt");
    assertThat(renewed.getPublicKey()).isNotEqualTo(before.getPublicKey());
    assertThat(renewed.getNotAfter().toInstant()).isEqualTo(NOW.plus(Duration.ofDays(151)));
    renewed.verify(authority.getPublicKey());
  }

  @Test
  void aNewNodeNameMakesANewCertificateForTheAgentsAlone() throws Exception {
    ensure(NOW, 365);
    cluster.writes();

    ensure(NOW, 365, "gpu-1.example.internal");

    assertThat(cluster.writes()).containsExactly("update " + AGENT);
    assertThat(names(certificate(AGENT, "tls.crt")))
        .contains("gpu-1.example.internal.node.migration.vfio.dev");
  }

  /** One that names them all could not be read. */
  @Test
  void aThousandNodeNamesAreLeftToTheWildcard() throws Exception {
    ensure(
        NOW,
        365,
        IntStream.range(0, 1000)
            .mapToObj(number -> number + ".example" + ".internal".repeat(25))
            .toArray(String[]::new));

    assertThat(names(certificate(AGENT, "tls.crt"))).containsExactly("*.node.migration.vfio.dev");
    assertThat(certificate(AGENT, "tls.crt").getEncoded().length).isLessThan(2000);
  }

  @Test
  void withoutItsAuthorityNoCertificateIsKept() throws Exception {
    ensure(NOW, 365);
    X509Certificate before = certificate(AUTHORITY, "tls.crt");
    cluster.remove(AUTHORITY);
    cluster.writes();

    ensure(NOW, 365);

    assertThat(cluster.writes())
        .containsExactly("create " + AUTHORITY, "update " + OPERATOR, "update " + AGENT);
    X509Certificate authority = certificate(AUTHORITY, "tls.crt");
    assertThat(authority.getPublicKey()).isNotEqualTo(before.getPublicKey());
    certificate(AGENT, "tls.crt").verify(authority.getPublicKey());
    certificate(OPERATOR, "tls.crt").verify(authority.getPublicKey());
  }

  /** An older release had Helm make the keys, so they lie in every release Secret since. */
  @Test
  void whatHelmHadMadeIsReplacedAndItsAuthorityNoLongerTrusted() throws Exception {
    ensure(NOW, 365);
    X509Certificate leaked = certificate(AUTHORITY, "tls.crt");
    for (String name : ALL) {
      Secret secret = cluster.get(name);
      secret.getMetadata().getLabels().put(CertificateSecrets.MANAGED_BY, "Helm");
      secret.getMetadata().getAnnotations().clear();
      cluster.put(secret);
    }
    cluster.writes();

    ensure(NOW, 365);

    assertThat(cluster.writes())
        .containsExactly("update " + AUTHORITY, "update " + OPERATOR, "update " + AGENT);
    for (String name : ALL) {
      assertThat(text(cluster.get(name))).doesNotContain(pem(leaked));
      assertThat(cluster.get(name).getMetadata().getAnnotations())
          .as("Helm deletes what it no longer renders, unless it is told to keep it")
          .containsEntry("helm.sh/resource-policy", "keep");
    }
    assertThat(told).anyMatch(line -> line.contains("lies in every release Secret"));
  }

  @ParameterizedTest
  @ValueSource(strings = {AUTHORITY, OPERATOR, AGENT})
  void somebodyElsesSecretIsNeverOverwritten(String name) throws Exception {
    ensure(NOW, 365);
    Secret foreign = cluster.get(name);
    foreign.getMetadata().setLabels(Map.of(CertificateSecrets.MANAGED_BY, "Helm"));
    cluster.put(foreign);
    cluster.remove(name.equals(AGENT) ? OPERATOR : AGENT);
    cluster.writes();

    assertThatThrownBy(() -> ensure(NOW, 365))
        .isInstanceOf(UnusableSecretException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("Nothing was changed");
    assertThat(cluster.writes()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"tls.crt", "tls.key"})
  void aDamagedAuthorityIsNotTakenForAnAbsentOne(String key) throws Exception {
    ensure(NOW, 365);
    for (String content : new String[] {null, "", "rubbish", text(cluster.get(AGENT), key)}) {
      Secret damaged = cluster.get(AUTHORITY);
      if (content == null) {
        damaged.getData().remove(key);
      } else {
        damaged.getData().put(key, base64(content));
      }
      Secret intact = cluster.get(AUTHORITY);
      cluster.put(damaged);
      cluster.writes();

      assertThatThrownBy(() -> ensure(NOW, 365))
          .isInstanceOf(UnusableSecretException.class)
          .hasMessageContaining(AUTHORITY)
          .hasMessageContaining("delete it");
      assertThat(cluster.writes()).isEmpty();
      cluster.put(intact);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tls.crt", "tls.key", "ca.crt"})
  void aDamagedCertificateIsMadeAnew(String key) throws Exception {
    ensure(NOW, 365);
    for (String content : new String[] {null, "", "rubbish", text(cluster.get(OPERATOR), key)}) {
      if (key.equals("ca.crt") && text(cluster.get(OPERATOR), key).equals(content)) {
        continue;
      }
      Secret damaged = cluster.get(AGENT);
      if (content == null) {
        damaged.getData().remove(key);
      } else {
        damaged.getData().put(key, base64(content));
      }
      cluster.put(damaged);
      cluster.writes();

      ensure(NOW, 365);

      assertThat(cluster.writes()).containsExactly("update " + AGENT);
    }
  }

  @Test
  void aRunThatEndsAtAnyWriteIsPutRightByTheNext() throws Exception {
    ensure(NOW, 365);
    for (int writes = 0; writes < 3; writes++) {
      cluster.remove(AUTHORITY);
      cluster.failAfter(writes);
      assertThatThrownBy(() -> ensure(NOW, 365)).isInstanceOf(KubernetesClientException.class);
      cluster.failAfter(Integer.MAX_VALUE);

      ensure(NOW, 365);

      X509Certificate authority = certificate(AUTHORITY, "tls.crt");
      for (String name : List.of(OPERATOR, AGENT)) {
        certificate(name, "tls.crt").verify(authority.getPublicKey());
        assertThat(certificate(name, "ca.crt")).isEqualTo(authority);
      }
    }
  }

  @Test
  void noCertificateOutlivesItsAuthority() throws Exception {
    ensure(NOW, 365);
    Instant end = certificate(AUTHORITY, "tls.crt").getNotAfter().toInstant();

    ensure(NOW.plus(Duration.ofDays(2400)), 3650);

    assertThat(certificate(AGENT, "tls.crt").getNotAfter().toInstant()).isEqualTo(end);
  }

  @Test
  void anOldAuthorityIsReplacedLongBeforeItsEnd() throws Exception {
    ensure(NOW, 365);
    X509Certificate before = certificate(AUTHORITY, "tls.crt");

    ensure(NOW.plus(Duration.ofDays(2440)), 365);

    assertThat(certificate(AUTHORITY, "tls.crt").getPublicKey())
        .isNotEqualTo(before.getPublicKey());
  }

  @Test
  void theLogReportsWhatWasDoneAndNoKey() throws Exception {
    ensure(NOW, 365);
    ensure(NOW, 365);
    assertThat(told).contains("Secret " + AGENT + ": kept");
    assertThat(String.join("\n", told)).contains("absent").doesNotContain("PRIVATE");
    assertThat(
            new Credential(Credential.newKeys().getPrivate(), certificate(AGENT, "tls.crt"))
                .toString())
        .isEqualTo("certificate of CN=*.node.migration.vfio.dev");
  }

  @Test
  void aRequestThatIsNotCompleteIsRefusedByName() {
    assertThatThrownBy(() -> Request.from(Map.of(Request.NAMESPACE, "a")))
        .hasMessage("CERTIFICATES_AUTHORITY_SECRET is not set");
    Map<String, String> complete =
        Map.of(
            Request.NAMESPACE, "a",
            Request.AUTHORITY, "b",
            Request.OPERATOR, "c",
            Request.AGENT, "d",
            Request.VALIDITY_DAYS, "365");
    assertThat(Request.from(complete).agentNames()).containsExactly("*.node.migration.vfio.dev");
    for (String days : List.of("", "x", "1", "-1", "1e3", "99999999999")) {
      Map<String, String> wrong = new java.util.HashMap<>(complete);
      wrong.put(Request.VALIDITY_DAYS, days);
      assertThatThrownBy(() -> Request.from(wrong)).hasMessageContaining(Request.VALIDITY_DAYS);
    }
  }

  private X509Certificate certificate(String name, String key) throws GeneralSecurityException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(
                new ByteArrayInputStream(
                    text(cluster.get(name), key).getBytes(StandardCharsets.US_ASCII)));
  }

  private static String text(Secret secret, String key) {
    return new String(
        Base64.getDecoder().decode(secret.getData().get(key)), StandardCharsets.US_ASCII);
  }

  private static String text(Secret secret) {
    return String.join(
        "", secret.getData().keySet().stream().map(key -> text(secret, key)).toList());
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static String pem(X509Certificate certificate) {
    return new Credential(Credential.newKeys().getPrivate(), certificate).certificatePem();
  }

  private static List<String> names(X509Certificate certificate) throws GeneralSecurityException {
    return certificate.getSubjectAlternativeNames().stream()
        .filter(name -> name.get(0).equals(DNS_NAME))
        .map(name -> (String) name.get(1))
        .toList();
  }
}
