package dev.vfio.migration.agent.control;

import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.concurrent.atomic.AtomicLong;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** An authority, and directories with its certificates as every process here has them. */
final class TestCertificates {
  private static final AtomicLong SERIALS = new AtomicLong(System.nanoTime());

  private final X500Name name;
  private final KeyPair keys;
  private final X509CertificateHolder own;

  TestCertificates(String commonName) throws IOException {
    this.name = new X500Name("CN=" + commonName);
    this.keys = newKeys();
    this.own =
        sign(
            name,
            keys,
            builderHolder ->
                builderHolder.addExtension(
                    Extension.basicConstraints, true, new BasicConstraints(true)),
            Duration.ofHours(1));
  }

  /** Writes tls.crt, tls.key and ca.crt; files that are there are replaced at once. */
  Path issue(Path directory, Duration validFor, String... dnsNames) throws IOException {
    KeyPair subject = newKeys();
    GeneralName[] names = new GeneralName[dnsNames.length];
    for (int index = 0; index < names.length; index++) {
      names[index] = new GeneralName(GeneralName.dNSName, dnsNames[index]);
    }
    X509CertificateHolder issued =
        sign(
            new X500Name("CN=" + dnsNames[0].strip()),
            subject,
            builder ->
                builder.addExtension(
                    Extension.subjectAlternativeName, false, new GeneralNames(names)),
            validFor);
    Files.createDirectories(directory);
    replace(directory.resolve("tls.key"), pem(new JcaPKCS8Generator(subject.getPrivate(), null)));
    replace(directory.resolve("tls.crt"), pem(issued));
    replace(directory.resolve("ca.crt"), pem(own));
    return directory;
  }

  /** What a certificate is to carry beside its names and keys. */
  @FunctionalInterface
  private interface Extensions {
    void addTo(JcaX509v3CertificateBuilder builder) throws IOException;
  }

  private X509CertificateHolder sign(
      X500Name subject, KeyPair subjectKeys, Extensions extensions, Duration validFor)
      throws IOException {
    Instant now = Instant.now();
    JcaX509v3CertificateBuilder builder =
        new JcaX509v3CertificateBuilder(
            name,
            BigInteger.valueOf(SERIALS.incrementAndGet()),
            Date.from(now.minus(Duration.ofHours(2))),
            Date.from(now.plus(validFor)),
            subject,
            subjectKeys.getPublic());
    extensions.addTo(builder);
    try {
      return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()));
    } catch (OperatorCreationException problem) {
      throw new IllegalStateException(problem);
    }
  }

  private static KeyPair newKeys() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException problem) {
      throw new IllegalStateException(problem);
    }
  }

  private static void replace(Path file, String content) throws IOException {
    Path fresh = file.resolveSibling(file.getFileName() + ".new");
    Files.writeString(fresh, content);
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static String pem(Object content) throws IOException {
    StringWriter text = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
      writer.writeObject(content);
    }
    return text.toString();
  }
}
