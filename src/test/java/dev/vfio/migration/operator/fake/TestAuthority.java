package dev.vfio.migration.operator.fake;

import java.io.IOException;
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
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Issues certificates as directories in the kubernetes.io/tls convention. */
public final class TestAuthority {
  public static final String OPERATOR = "operator.migration.vfio.dev";

  private static final AtomicLong SERIAL = new AtomicLong(1);

  private final X500Name name = new X500Name("CN=test authority");
  private final KeyPair keys = newKeys();
  private final X509Certificate certificate;

  public TestAuthority() {
    Instant now = Instant.now();
    certificate =
        sign(name, keys, List.of(), now.minusSeconds(3600), now.plus(Duration.ofDays(2)), true);
  }

  /** Writes a certificate for {@code dnsName} that is valid now. */
  public Path issue(Path directory, String dnsName) {
    Instant now = Instant.now();
    return issue(directory, dnsName, now.minusSeconds(3600), now.plus(Duration.ofDays(1)));
  }

  /** Writes a certificate for {@code dnsName} that is valid from {@code start} to {@code end}. */
  public Path issue(Path directory, String dnsName, Instant start, Instant end) {
    return issue(directory, List.of(dnsName), start, end);
  }

  /** The same for several names. */
  public Path issue(Path directory, List<String> dnsNames) {
    Instant now = Instant.now();
    return issue(directory, dnsNames, now.minusSeconds(3600), now.plus(Duration.ofDays(1)));
  }

  private Path issue(Path directory, List<String> dnsNames, Instant start, Instant end) {
    KeyPair subject = newKeys();
    X509Certificate issued =
        sign(new X500Name("CN=somebody"), subject, dnsNames, start, end, false);
    try {
      Files.createDirectories(directory);
      Files.writeString(directory.resolve("tls.crt"), pem("CERTIFICATE", issued.getEncoded()));
      Files.writeString(
          directory.resolve("tls.key"), pem("PRIVATE KEY", subject.getPrivate().getEncoded()));
      Files.writeString(directory.resolve("ca.crt"), pem("CERTIFICATE", certificate.getEncoded()));
      return directory;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (GeneralSecurityException failed) {
      throw new IllegalStateException(failed);
    }
  }

  private X509Certificate sign(
      X500Name subject,
      KeyPair subjectKeys,
      List<String> dnsNames,
      Instant start,
      Instant end,
      boolean authority) {
    try {
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              name,
              BigInteger.valueOf(SERIAL.getAndIncrement()),
              Date.from(start),
              Date.from(end),
              subject,
              subjectKeys.getPublic());
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(authority));
      if (!authority) {
        builder.addExtension(
            Extension.subjectAlternativeName,
            false,
            new GeneralNames(
                dnsNames.stream()
                    .map(dnsName -> new GeneralName(GeneralName.dNSName, dnsName))
                    .toArray(GeneralName[]::new)));
      }
      return new JcaX509CertificateConverter()
          .getCertificate(
              builder.build(
                  new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate())));
    } catch (GeneralSecurityException | IOException | OperatorCreationException failed) {
      throw new IllegalStateException(failed);
    }
  }

  private static KeyPair newKeys() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException absent) {
      throw new IllegalStateException(absent);
    }
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
}
