package dev.vfio.migration.operator.chart;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Secret;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The certificates that the chart makes where none are given. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GeneratedCertificatesTest {

  private static final String AUTHORITY = "vfio-migration-ca";
  private static final String OPERATOR = "vfio-migration-operator-tls";
  private static final String AGENT = "vfio-migration-agent-tls";
  private static final String RENEW_AFTER = "migration.vfio.dev/renew-after";
  private static final int DNS_NAME = 2;

  private static SecretsServer cluster;
  private static ChartRenderer renderer;

  @BeforeAll
  static void start(@TempDir Path folder) throws IOException {
    cluster = new SecretsServer();
    Path kubeconfig = Files.writeString(folder.resolve("kubeconfig"), cluster.kubeconfig());
    renderer = new ChartRenderer(kubeconfig);
  }

  @BeforeEach
  void startWithNoSecrets() {
    cluster.clear();
  }

  @AfterAll
  static void stop() {
    renderer.close();
    cluster.close();
  }

  @Test
  void bothSidesGetTheirNamesFromOneAuthorityAndAKeyThatJavaReads() throws Exception {
    RenderedObjects fresh = renderer.render("tls: {generated: {nodeNamesWithDots: [a.b.example]}}");
    X509Certificate authority = certificate(secret(fresh, AUTHORITY), "tls.crt");

    assertThat(names(certificate(secret(fresh, OPERATOR), "tls.crt")))
        .containsExactly("operator.migration.vfio.dev");
    assertThat(names(certificate(secret(fresh, AGENT), "tls.crt")))
        .containsExactly("*.node.migration.vfio.dev", "a.b.example.node.migration.vfio.dev");
    for (String name : List.of(OPERATOR, AGENT)) {
      Secret secret = secret(fresh, name);
      X509Certificate certificate = certificate(secret, "tls.crt");
      certificate.verify(authority.getPublicKey());
      assertThat(certificate(secret, "ca.crt")).isEqualTo(authority);
      assertThat(certificate.getExtendedKeyUsage())
          .contains("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
      assertThat(secret.getType()).isEqualTo("kubernetes.io/tls");
      assertKeyBelongsTo(certificate, privateKey(secret));
    }
    assertThat(authority.getBasicConstraints()).isNotNegative();
  }

  @Test
  void theKeyOfTheAuthorityReachesNoPod() {
    RenderedObjects fresh = renderer.render("{}");

    assertThat(secret(fresh, AUTHORITY).getData()).containsKey("tls.key");
    assertThat(fresh.operatorPod().getVolumes().toString()).doesNotContain(AUTHORITY);
    assertThat(fresh.agentPod().getVolumes().toString()).doesNotContain(AUTHORITY);
  }

  @Test
  void anUpgradeKeepsWhatIsThere() {
    RenderedObjects installed = renderer.render("{}");
    installed.all(Secret.class).forEach(cluster::put);

    RenderedObjects upgraded = renderer.render("operator: {replicas: 1}");

    assertThat(upgraded.all(Secret.class)).hasSize(3).isEqualTo(installed.all(Secret.class));
  }

  @Test
  void anUpgradeAfterTwoThirdsOfItsLifeRenewsACertificateUnderTheSameAuthority() throws Exception {
    RenderedObjects installed = renderer.render("tls: {generated: {validityDays: 90}}");
    installed.all(Secret.class).forEach(cluster::put);
    Secret due = secret(installed, AGENT);
    Instant renewAfter =
        Instant.ofEpochSecond(Long.parseLong(due.getMetadata().getAnnotations().get(RENEW_AFTER)));
    Instant end = certificate(due, "tls.crt").getNotAfter().toInstant();
    assertThat(Duration.between(renewAfter, end))
        .isBetween(Duration.ofDays(29), Duration.ofDays(31));
    due.getMetadata().getAnnotations().put(RENEW_AFTER, "1");

    RenderedObjects upgraded = renderer.render("tls: {generated: {validityDays: 90}}");

    assertThat(secret(upgraded, AUTHORITY)).isEqualTo(secret(installed, AUTHORITY));
    assertThat(secret(upgraded, OPERATOR)).isEqualTo(secret(installed, OPERATOR));
    assertThat(secret(upgraded, AGENT).getData().get("tls.crt"))
        .isNotEqualTo(due.getData().get("tls.crt"));
    certificate(secret(upgraded, AGENT), "tls.crt")
        .verify(certificate(secret(installed, AUTHORITY), "tls.crt").getPublicKey());
  }

  @Test
  void aNewNodeNameMakesANewCertificateForTheAgents() throws Exception {
    RenderedObjects installed = renderer.render("{}");
    installed.all(Secret.class).forEach(cluster::put);

    RenderedObjects upgraded =
        renderer.render("tls: {generated: {nodeNamesWithDots: [gpu-1.example.internal]}}");

    assertThat(secret(upgraded, OPERATOR)).isEqualTo(secret(installed, OPERATOR));
    assertThat(names(certificate(secret(upgraded, AGENT), "tls.crt")))
        .contains("gpu-1.example.internal.node.migration.vfio.dev");
  }

  @Test
  void withoutItsAuthorityNoCertificateIsKept() throws Exception {
    RenderedObjects installed = renderer.render("{}");
    cluster.put(secret(installed, OPERATOR));
    cluster.put(secret(installed, AGENT));

    RenderedObjects upgraded = renderer.render("{}");

    for (String name : List.of(OPERATOR, AGENT)) {
      assertThat(secret(upgraded, name).getData().get("tls.crt"))
          .isNotEqualTo(secret(installed, name).getData().get("tls.crt"));
      certificate(secret(upgraded, name), "tls.crt")
          .verify(certificate(secret(upgraded, AUTHORITY), "tls.crt").getPublicKey());
    }
  }

  @Test
  void givenCertificatesLeaveNothingToMake() {
    assertThat(Chart.render("").all(Secret.class)).isEmpty();
  }

  private static Secret secret(RenderedObjects rendered, String name) {
    return rendered.named(Secret.class, name);
  }

  private static byte[] decode(Secret secret, String key) {
    return Base64.getDecoder().decode(secret.getData().get(key));
  }

  private static X509Certificate certificate(Secret secret, String key)
      throws GeneralSecurityException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(decode(secret, key)));
  }

  private static List<String> names(X509Certificate certificate) throws GeneralSecurityException {
    return certificate.getSubjectAlternativeNames().stream()
        .filter(name -> name.get(0).equals(DNS_NAME))
        .map(name -> (String) name.get(1))
        .toList();
  }

  private static PrivateKey privateKey(Secret secret) throws GeneralSecurityException {
    String pem = new String(decode(secret, "tls.key"), StandardCharsets.US_ASCII);
    assertThat(pem)
        .startsWith("-----BEGIN PRIVATE KEY-----\n")
        .endsWith("-----END PRIVATE KEY-----\n");
    byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
    return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
  }

  private static void assertKeyBelongsTo(X509Certificate certificate, PrivateKey key)
      throws GeneralSecurityException {
    byte[] message = "handshake".getBytes(StandardCharsets.US_ASCII);
    Signature signer = Signature.getInstance("SHA256withECDSA");
    signer.initSign(key);
    signer.update(message);
    Signature verifier = Signature.getInstance("SHA256withECDSA");
    verifier.initVerify(certificate);
    verifier.update(message);
    assertThat(verifier.verify(signer.sign())).isTrue();
  }
}
