package dev.vfio.migration.sandbox.cluster.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The sandbox's certificates carry the names and purposes that the contract asks for. */
class CertificateAuthorityTest {
  private static final String SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
  private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
  private static final int DNS_NAME = 2;

  private final CertificateAuthority authority = CertificateAuthority.create("sandbox");

  @Test
  void anAgentServesAndCallsUnderTheNameOfItsNode() throws Exception {
    X509Certificate agent = authority.agent("node-a").certificate();

    agent.verify(authority.certificate().getPublicKey());
    agent.checkValidity();
    assertThat(agent.getSubjectAlternativeNames())
        .containsExactly(List.of(DNS_NAME, "node-a.node.migration.vfio.dev"));
    assertThat(agent.getExtendedKeyUsage()).containsExactlyInAnyOrder(SERVER_AUTH, CLIENT_AUTH);
    assertThat(agent.getBasicConstraints()).as("not an authority").isEqualTo(-1);
  }

  @Test
  void theOperatorOnlyCalls() throws Exception {
    X509Certificate operator = authority.operator().certificate();

    operator.verify(authority.certificate().getPublicKey());
    assertThat(operator.getSubjectAlternativeNames())
        .containsExactly(List.of(DNS_NAME, "operator.migration.vfio.dev"));
    assertThat(operator.getExtendedKeyUsage()).containsExactly(CLIENT_AUTH);
  }

  @Test
  void anExpiredCertificateIsGoodButForItsTime() throws Exception {
    X509Certificate expired = authority.expiredAgent("node-a").certificate();

    expired.verify(authority.certificate().getPublicKey());
    assertThatThrownBy(expired::checkValidity).isInstanceOf(CertificateExpiredException.class);
  }

  @Test
  void anotherAuthorityOfTheSameNameIsAnotherAuthority() {
    X509Certificate strange = CertificateAuthority.create("sandbox").agent("node-a").certificate();

    assertThatThrownBy(() -> strange.verify(authority.certificate().getPublicKey()))
        .isInstanceOf(SignatureException.class);
  }

  @Test
  void theFilesAreATlsSecretAndBelongTogether(@TempDir Path directory) throws Exception {
    Identity identity = authority.agent("node-b");
    identity.writeTo(directory);
    identity.writeTo(directory);

    assertThat(directory).isDirectoryNotContaining(file -> file.toString().endsWith(".new"));
    assertThat(Files.getPosixFilePermissions(directory.resolve("tls.key")))
        .containsExactlyInAnyOrder(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
    assertThat(certificate(directory.resolve("ca.crt"))).isEqualTo(authority.certificate());
    X509Certificate certificate = certificate(directory.resolve("tls.crt"));
    assertThat(certificate).isEqualTo(identity.certificate());

    byte[] message = {1, 2, 3};
    Signature signing = Signature.getInstance("SHA256withECDSA");
    signing.initSign(key(directory.resolve("tls.key")));
    signing.update(message);
    byte[] signature = signing.sign();
    Signature verifying = Signature.getInstance("SHA256withECDSA");
    verifying.initVerify(certificate);
    verifying.update(message);
    assertThat(verifying.verify(signature)).as("key and certificate are a pair").isTrue();
  }

  private static X509Certificate certificate(Path file) throws Exception {
    try (InputStream in = Files.newInputStream(file)) {
      return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
    }
  }

  private static PrivateKey key(Path file) throws Exception {
    String body = Files.readString(file).replaceAll("-----.*-----", "");
    return KeyFactory.getInstance("EC")
        .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(body)));
  }
}
