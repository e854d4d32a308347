package dev.vfio.migration.operator.certificates;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A private key on the curve P-256 and its certificate, as PEM in a Secret: {@code tls.key}
 * (PKCS#8) and {@code tls.crt}. Does not show the key.
 */
record Credential(PrivateKey key, X509Certificate certificate) {
  private static final int DNS_NAME = 2;

  /**
   * @param certificatePem one certificate
   * @param keyPem PKCS#8
   * @throws GeneralSecurityException when one of them cannot be read or they do not belong together
   */
  static Credential read(byte[] certificatePem, byte[] keyPem) throws GeneralSecurityException {
    X509Certificate certificate =
        (X509Certificate)
            CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(certificatePem));
    PrivateKey key;
    try {
      String base64 =
          new String(keyPem, StandardCharsets.US_ASCII)
              .replaceAll("-----(BEGIN|END) PRIVATE KEY-----", "");
      key =
          KeyFactory.getInstance("EC")
              .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64)));
    } catch (IllegalArgumentException malformed) {
      throw new GeneralSecurityException("the key is no PEM: " + malformed.getMessage(), malformed);
    }
    if (!belongTogether(key, certificate.getPublicKey())) {
      throw new GeneralSecurityException("key and certificate do not belong together");
    }
    return new Credential(key, certificate);
  }

  private static boolean belongTogether(PrivateKey key, PublicKey published)
      throws GeneralSecurityException {
    byte[] message = "either".getBytes(StandardCharsets.US_ASCII);
    Signature signer = Signature.getInstance("SHA256withECDSA");
    signer.initSign(key);
    signer.update(message);
    byte[] signature = signer.sign();
    signer.initVerify(published);
    signer.update(message);
    return signer.verify(signature);
  }

  static KeyPair newKeys() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException absent) {
      throw new IllegalStateException("this Java has no P-256 curve", absent);
    }
  }

  /** When two thirds of the certificate's life are over. */
  Instant renewAfter() {
    Instant start = certificate.getNotBefore().toInstant();
    Duration life = Duration.between(start, certificate.getNotAfter().toInstant());
    return start.plus(life.multipliedBy(2).dividedBy(3));
  }

  /** True when the certificate carries these DNS names and no other. */
  boolean isFor(Collection<String> names) throws GeneralSecurityException {
    Set<String> carried = new TreeSet<>();
    Collection<List<?>> alternatives = certificate.getSubjectAlternativeNames();
    for (List<?> name : alternatives == null ? List.<List<?>>of() : alternatives) {
      carried.add(name.get(0).equals(DNS_NAME) ? (String) name.get(1) : "another kind: " + name);
    }
    return carried.equals(new TreeSet<>(names));
  }

  String certificatePem() {
    try {
      return pem("CERTIFICATE", certificate.getEncoded());
    } catch (CertificateEncodingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  String keyPem() {
    return pem("PRIVATE KEY", key.getEncoded());
  }

  private static String pem(String type, byte[] content) {
    return "-----BEGIN "
        + type
        + "-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content)
        + "\n-----END "
        + type
        + "-----\n";
  }

  @Override
  public String toString() {
    return "certificate of " + certificate.getSubjectX500Principal();
  }
}
