package dev.vfio.migration.sandbox.cluster.pki;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * Issues the certificates of one sandbox cluster: what cert-manager does in a real one. Keys are on
 * the curve P-256. Safe for use by several threads.
 */
public final class CertificateAuthority {

  /** The name that agents require of the certificate of a client that commands them. */
  public static final String OPERATOR_NAME = "operator.migration.vfio.dev";

  private static final String NODE_DOMAIN = ".node.migration.vfio.dev";
  private static final Duration CLOCK_TOLERANCE = Duration.ofHours(1);
  private static final Duration LIFETIME = Duration.ofDays(30);

  private final KeyPair keys;
  private final X500Name name;
  private final X509Certificate certificate;

  private CertificateAuthority(KeyPair keys, X500Name name, X509Certificate certificate) {
    this.keys = keys;
    this.name = name;
    this.certificate = certificate;
  }

  /** A new authority with a key of its own; what it issues is worth nothing to any other. */
  public static CertificateAuthority create(String commonName) {
    KeyPair keys = newKeys();
    X500Name name = new X500Name("CN=" + commonName);
    Instant now = Instant.now();
    try {
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              name,
              serialNumber(),
              Date.from(now.minus(CLOCK_TOLERANCE)),
              Date.from(now.plus(LIFETIME)),
              name,
              keys.getPublic());
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
      builder.addExtension(
          Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
      builder.addExtension(
          Extension.subjectKeyIdentifier,
          false,
          new JcaX509ExtensionUtils().createSubjectKeyIdentifier(keys.getPublic()));
      return new CertificateAuthority(keys, name, sign(builder, keys));
    } catch (IOException | GeneralSecurityException e) {
      throw new IllegalStateException("cannot make the certificate authority " + commonName, e);
    }
  }

  /** What others must hold to trust this authority. */
  public X509Certificate certificate() {
    return certificate;
  }

  /** The name in an agent's certificate. */
  public static String agentName(String node) {
    return node + NODE_DOMAIN;
  }

  /** A certificate for the agent of that node: it serves and it calls. */
  public Identity agent(String node) {
    return issue(
        agentName(node),
        List.of(KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth),
        Instant.now().plus(LIFETIME));
  }

  /** A certificate for the operator: it only calls. */
  public Identity operator() {
    return issue(
        OPERATOR_NAME, List.of(KeyPurposeId.id_kp_clientAuth), Instant.now().plus(LIFETIME));
  }

  /** An agent's certificate that ran out an hour ago. */
  public Identity expiredAgent(String node) {
    return issue(
        agentName(node),
        List.of(KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth),
        Instant.now().minus(Duration.ofHours(1)));
  }

  private Identity issue(String dnsName, List<KeyPurposeId> purposes, Instant notAfter) {
    KeyPair holder = newKeys();
    try {
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              name,
              serialNumber(),
              Date.from(notAfter.minus(LIFETIME).minus(CLOCK_TOLERANCE)),
              Date.from(notAfter),
              new X500Name("CN=" + dnsName),
              holder.getPublic());
      JcaX509ExtensionUtils extensions = new JcaX509ExtensionUtils();
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(
          Extension.extendedKeyUsage,
          false,
          new ExtendedKeyUsage(purposes.toArray(KeyPurposeId[]::new)));
      builder.addExtension(
          Extension.subjectAlternativeName,
          false,
          new GeneralNames(new GeneralName(GeneralName.dNSName, dnsName)));
      builder.addExtension(
          Extension.authorityKeyIdentifier,
          false,
          extensions.createAuthorityKeyIdentifier(keys.getPublic()));
      return new Identity(holder.getPrivate(), sign(builder, keys), certificate);
    } catch (IOException | GeneralSecurityException e) {
      throw new IllegalStateException("cannot issue a certificate for " + dnsName, e);
    }
  }

  private static X509Certificate sign(JcaX509v3CertificateBuilder builder, KeyPair keys)
      throws GeneralSecurityException {
    try {
      return new JcaX509CertificateConverter()
          .getCertificate(
              builder.build(
                  new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate())));
    } catch (OperatorCreationException e) {
      throw new GeneralSecurityException("this Java cannot sign with ECDSA", e);
    }
  }

  private static BigInteger serialNumber() {
    return new BigInteger(127, new SecureRandom()).setBit(0);
  }

  private static KeyPair newKeys() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java has no P-256 curve", e);
    }
  }
}
