package dev.vfio.migration.operator.certificates;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
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

/** Signs the certificates of one release. */
record Authority(Credential own) {
  static final Duration LIFE = Duration.ofDays(3650);

  /** Certificates are valid from a little before now: clocks of nodes differ. */
  private static final Duration CLOCK_TOLERANCE = Duration.ofHours(1);

  private static final int MAX_COMMON_NAME = 64;

  private static final SecureRandom RANDOM = new SecureRandom();

  /** A new one, which nobody trusts yet. */
  static Authority create(String commonName, Instant now) throws GeneralSecurityException {
    KeyPair keys = Credential.newKeys();
    X500Name name = name(commonName);
    try {
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              name,
              serialNumber(),
              Date.from(now.minus(CLOCK_TOLERANCE)),
              Date.from(now.plus(LIFE)),
              name,
              keys.getPublic());
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
      builder.addExtension(
          Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
      builder.addExtension(
          Extension.subjectKeyIdentifier,
          false,
          new JcaX509ExtensionUtils().createSubjectKeyIdentifier(keys.getPublic()));
      return new Authority(new Credential(keys.getPrivate(), sign(builder, keys.getPrivate())));
    } catch (IOException malformed) {
      throw new GeneralSecurityException("cannot make the authority " + commonName, malformed);
    }
  }

  /**
   * A new key with a certificate for {@code dnsNames}, for a server and for a client.
   *
   * @param validity counted from now; ends with the authority at the latest
   */
  Credential issue(List<String> dnsNames, Instant now, Duration validity)
      throws GeneralSecurityException {
    KeyPair keys = Credential.newKeys();
    Instant latest = own.certificate().getNotAfter().toInstant();
    Instant end = now.plus(validity).isBefore(latest) ? now.plus(validity) : latest;
    try {
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              own.certificate(),
              serialNumber(),
              Date.from(now.minus(CLOCK_TOLERANCE)),
              Date.from(end),
              name(dnsNames.get(0)),
              keys.getPublic());
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(
          Extension.extendedKeyUsage,
          false,
          new ExtendedKeyUsage(
              new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth}));
      builder.addExtension(
          Extension.subjectAlternativeName,
          false,
          new GeneralNames(
              dnsNames.stream()
                  .map(name -> new GeneralName(GeneralName.dNSName, name))
                  .toArray(GeneralName[]::new)));
      builder.addExtension(
          Extension.authorityKeyIdentifier,
          false,
          new JcaX509ExtensionUtils()
              .createAuthorityKeyIdentifier(own.certificate().getPublicKey()));
      return new Credential(keys.getPrivate(), sign(builder, own.key()));
    } catch (IOException malformed) {
      throw new GeneralSecurityException("cannot sign for " + dnsNames, malformed);
    }
  }

  /** True when this authority signed {@code certificate}. */
  boolean signed(X509Certificate certificate) {
    try {
      certificate.verify(own.certificate().getPublicKey());
      return true;
    } catch (GeneralSecurityException foreign) {
      return false;
    }
  }

  private static X509Certificate sign(JcaX509v3CertificateBuilder builder, PrivateKey key)
      throws GeneralSecurityException {
    try {
      return new JcaX509CertificateConverter()
          .getCertificate(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key)));
    } catch (OperatorCreationException absent) {
      throw new GeneralSecurityException("this Java cannot sign with ECDSA", absent);
    }
  }

  /** X.509 allows 64 characters of a common name. What a certificate is for, its DNS names say. */
  private static X500Name name(String commonName) {
    String allowed = commonName.substring(0, Math.min(commonName.length(), MAX_COMMON_NAME));
    return new X500NameBuilder().addRDN(BCStyle.CN, allowed).build();
  }

  private static BigInteger serialNumber() {
    return new BigInteger(127, RANDOM).setBit(0);
  }
}
