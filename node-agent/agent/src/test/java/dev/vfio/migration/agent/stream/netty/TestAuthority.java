package dev.vfio.migration.agent.stream.netty;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.concurrent.atomic.AtomicLong;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * A certificate authority made in the test, and certificate directories as the agents have them.
 */
final class TestAuthority {
  private static final AtomicLong SERIAL = new AtomicLong(1);

  private final X500Name name;
  private final KeyPair keys;
  private final X509Certificate certificate;

  TestAuthority(String commonName) {
    name = new X500Name("CN=" + commonName);
    keys = newKeys();
    Instant now = Instant.now();
    certificate =
        sign(
            new JcaX509v3CertificateBuilder(
                name,
                BigInteger.valueOf(SERIAL.getAndIncrement()),
                Date.from(now.minus(Duration.ofDays(30))),
                Date.from(now.plus(Duration.ofDays(1))),
                name,
                keys.getPublic()),
            true,
            null);
  }

  /** Writes a directory with a certificate for these DNS names that is good today. */
  Path issue(Path directory, String... dnsNames) {
    Instant now = Instant.now();
    return issue(
        directory, now.minus(Duration.ofHours(1)), now.plus(Duration.ofHours(1)), dnsNames);
  }

  /** The same, with a validity of its own. */
  Path issue(Path directory, Instant from, Instant to, String... dnsNames) {
    KeyPair own = newKeys();
    X509Certificate issued =
        sign(
            new JcaX509v3CertificateBuilder(
                name,
                BigInteger.valueOf(SERIAL.getAndIncrement()),
                Date.from(from),
                Date.from(to),
                new X500Name("CN=agent"),
                own.getPublic()),
            false,
            dnsNames);
    try {
      Files.createDirectories(directory);
      Files.writeString(
          directory.resolve("tls.key"), pem(new JcaPKCS8Generator(own.getPrivate(), null)));
      Files.writeString(directory.resolve("tls.crt"), pem(issued));
      Files.writeString(directory.resolve("ca.crt"), pem(certificate));
      return directory;
    } catch (IOException unwritable) {
      throw new UncheckedIOException(unwritable);
    }
  }

  String certificatePem() {
    return pem(certificate);
  }

  private X509Certificate sign(
      X509v3CertificateBuilder builder, boolean authority, String[] dnsNames) {
    try {
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(authority));
      if (dnsNames != null) {
        GeneralName[] names = new GeneralName[dnsNames.length];
        for (int index = 0; index < names.length; index++) {
          names[index] = new GeneralName(GeneralName.dNSName, dnsNames[index]);
        }
        builder.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(names));
        builder.addExtension(
            Extension.extendedKeyUsage,
            false,
            new ExtendedKeyUsage(
                new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth}));
      }
      return new JcaX509CertificateConverter()
          .getCertificate(
              builder.build(
                  new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate())));
    } catch (IOException | OperatorCreationException | GeneralSecurityException trouble) {
      throw new IllegalStateException("cannot make a test certificate", trouble);
    }
  }

  private static KeyPair newKeys() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException trouble) {
      throw new IllegalStateException("cannot make a test key", trouble);
    }
  }

  private static String pem(Object content) {
    StringWriter text = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
      writer.writeObject(content);
    } catch (IOException trouble) {
      throw new UncheckedIOException(trouble);
    }
    return text.toString();
  }
}
