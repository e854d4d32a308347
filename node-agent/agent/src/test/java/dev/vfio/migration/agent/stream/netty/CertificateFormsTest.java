package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.Credentials;
import dev.vfio.migration.connections.certificates.UnusableCertificatesException;
import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.Set;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERBitString;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.sec.ECPrivateKey;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PKCS8Generator;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.openssl.jcajce.JceOpenSSLPKCS8EncryptorBuilder;
import org.bouncycastle.openssl.jcajce.JcePEMEncryptorBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The forms in which certificates and keys are found, and what is said of those not taken. */
class CertificateFormsTest {
  private static final char[] PASSWORD = "secret".toCharArray();

  @TempDir Path work;

  private KeyPair authorityKeys;
  private X509Certificate authority;
  private KeyPair keys;
  private X509Certificate own;

  @BeforeEach
  void issue() throws Exception {
    authorityKeys = ec("secp256r1");
    authority = certificate("authority", "authority", authorityKeys, authorityKeys, true);
    take(ec("secp256r1"));
    write("ca.crt", pem(authority));
  }

  private void take(KeyPair fresh) throws Exception {
    keys = fresh;
    own = certificate("authority", "agent", keys, authorityKeys, false);
    write("tls.crt", pem(own));
    write("tls.key", pem(new JcaPKCS8Generator(keys.getPrivate(), null)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"secp256r1", "secp384r1", "secp521r1"})
  void aKeyInSec1IsRead(String curve) throws Exception {
    take(ec(curve));
    requireRead();
    write("tls.key", pem(keys.getPrivate()));
    assertThat(text("tls.key")).startsWith("-----BEGIN EC PRIVATE KEY-----");
    requireRead();
    // As "openssl ecparam -genkey" has it.
    write(
        "tls.key",
        pem(new PemObject("EC PARAMETERS", SECObjectIdentifiers.secp256r1.getEncoded()))
            + text("tls.key"));
    requireRead();
  }

  /**
   * Both of its parts beside the number may be left out; the certificate says which curve it is.
   */
  @Test
  void aKeyInSec1WithoutItsCurveIsRead() throws Exception {
    BigInteger number = ((java.security.interfaces.ECPrivateKey) keys.getPrivate()).getS();
    write(
        "tls.key",
        pem(new PemObject("EC PRIVATE KEY", new ECPrivateKey(256, number).getEncoded())));
    requireRead();
    write(
        "tls.key",
        pem(
            new PemObject(
                "EC PRIVATE KEY",
                new ECPrivateKey(
                        256, number, new DERBitString(new byte[] {4}), (ASN1ObjectIdentifier) null)
                    .getEncoded())));
    requireRead();
  }

  @ParameterizedTest
  @ValueSource(ints = {1024, 2048, 4096})
  void aKeyInPkcs1IsRead(int bits) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
    generator.initialize(bits);
    take(generator.generateKeyPair());
    requireRead();
    write("tls.key", pem(keys.getPrivate()));
    assertThat(text("tls.key")).startsWith("-----BEGIN RSA PRIVATE KEY-----");
    requireRead();
  }

  @Test
  void anEd25519KeyIsRead() throws Exception {
    take(KeyPairGenerator.getInstance("Ed25519").generateKeyPair());
    write(
        "tls.key",
        pem(
            new PemObject(
                "PRIVATE KEY",
                PrivateKeyInfo.getInstance(keys.getPrivate().getEncoded()).getEncoded())));
    requireRead();
  }

  @Test
  void linesMayEndAsOnWindowsAndCommentsMayStandBetween() throws Exception {
    for (String name : new String[] {"tls.crt", "tls.key", "ca.crt"}) {
      write(name, ("0 comment: first\r\n" + text(name) + "# end").replaceAll("\r?\n", "\r\n"));
    }
    requireRead();
  }

  @Test
  void aBundleOfAuthoritiesIsTrustedAsAWhole() throws Exception {
    KeyPair otherKeys = ec("secp256r1");
    X509Certificate other = certificate("other", "other", otherKeys, otherKeys, true);
    write("ca.crt", "# Old\n" + pem(other) + "\n\nNew:\n" + pem(authority) + "\n" + pem(other));
    assertThat(requireRead().authorities()).containsExactly(other, authority, other);
  }

  @Test
  void anAuthorityThatExpiredDoesNotKeepTheOthersFromBeingTrusted() throws Exception {
    KeyPair oldKeys = ec("secp256r1");
    Instant now = Instant.now();
    X509Certificate old =
        certificate(
            "old",
            "old",
            oldKeys,
            oldKeys,
            true,
            now.minus(Duration.ofDays(9)),
            now.minusSeconds(9));
    write("ca.crt", pem(old) + pem(authority));
    requireRead().trust().checkClientTrusted(new X509Certificate[] {own}, "EC");
  }

  @Test
  void aChainInTheWrongOrderHasTheOwnCertificateFirst() throws Exception {
    write("tls.crt", pem(authority) + pem(own));
    assertThat(requireRead().chain()).containsExactly(own, authority);
  }

  @Test
  void anEncryptedKeyIsRefusedByName() throws Exception {
    write(
        "tls.key",
        pem(
            new JcaPKCS8Generator(
                keys.getPrivate(),
                new JceOpenSSLPKCS8EncryptorBuilder(PKCS8Generator.AES_256_CBC)
                    .setProvider(new BouncyCastleProvider())
                    .setRandom(new SecureRandom())
                    .setPassword(PASSWORD)
                    .build())));
    requireRefused("tls.key", "is encrypted (ENCRYPTED PRIVATE KEY)", "openssl pkey");
    StringWriter old = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(old)) {
      writer.writeObject(
          keys.getPrivate(),
          new JcePEMEncryptorBuilder("AES-256-CBC")
              .setProvider(new BouncyCastleProvider())
              .build(PASSWORD));
    }
    write("tls.key", old.toString());
    requireRefused("tls.key", "is encrypted (EC PRIVATE KEY)", "openssl pkey");
  }

  @Test
  void aKeyOfAnotherCertificateIsRefused() throws Exception {
    for (KeyPair other :
        new KeyPair[] {
          ec("secp256r1"),
          ec("secp384r1"),
          KeyPairGenerator.getInstance("RSA").generateKeyPair(),
          KeyPairGenerator.getInstance("Ed25519").generateKeyPair()
        }) {
      write("tls.key", pem(new PemObject("PRIVATE KEY", other.getPrivate().getEncoded())));
      requireRefused("tls.key", "is not that of tls.crt (CN=agent, EC)", "made together");
      if (!other.getPrivate().getAlgorithm().startsWith("Ed")) {
        write("tls.key", pem(other.getPrivate()));
        requireRefused("tls.key", "is not that of tls.crt (CN=agent, EC)", "made together");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tls.crt", "tls.key", "ca.crt"})
  void whatIsNoPemIsRefusedWithWhatItIs(String name) throws Exception {
    final String good = text(name);
    write(name, "");
    requireRefused(name, "is empty (0 bytes)", "it should hold");
    write(name, " \n\n");
    requireRefused(name, "is empty (3 bytes)", "it should hold");
    write(name, "nonsense");
    requireRefused(name, "has no PEM block in its 8 bytes", "it should hold");
    write(name, Base64.getEncoder().encodeToString(good.getBytes(StandardCharsets.US_ASCII)));
    requireRefused(name, "is base64 of a PEM file", "it should hold");
    Files.write(work.resolve(name), own.getEncoded());
    requireRefused(name, "binary (DER", "openssl x509 -inform DER");
    write(name, good.substring(0, good.length() / 2));
    requireRefused(name, "is damaged: 1 PEM blocks begin", "0 of them end");
    write(name, good.replaceFirst("\n[A-Za-z0-9+/]{40}", "\n"));
    assertThatThrownBy(this::read)
        .isInstanceOf(UnusableCertificatesException.class)
        .hasMessageContaining(work.resolve(name).toString());
    Files.delete(work.resolve(name));
    requireRefused(name, "is missing", "needs tls.crt, tls.key and ca.crt");
    Files.createDirectory(work.resolve(name));
    requireRefused(name, "is a directory", "PEM");
  }

  @Test
  void aFileThatMayNotBeReadSaysWhoMayNot() throws Exception {
    Files.setPosixFilePermissions(work.resolve("tls.key"), Set.of());
    if (Files.isReadable(work.resolve("tls.key"))) {
      // Root may read it all the same, and it is good.
      requireRead();
    } else {
      requireRefused("tls.key", "may not be read by the user", System.getProperty("user.name"));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          tls.key | CERTIFICATE             | holds no private key but: CERTIFICATE
          tls.key | OPENSSH PRIVATE KEY     | holds OPENSSH PRIVATE KEY, which is not known
          tls.key | DSA PRIVATE KEY         | holds DSA PRIVATE KEY, which is not known
          tls.key | PUBLIC KEY              | holds no private key but: PUBLIC KEY
          tls.key | PRIVATE KEY             | holds a PRIVATE KEY that cannot be read
          tls.key | EC PRIVATE KEY          | holds a EC PRIVATE KEY that cannot be read
          tls.crt | CERTIFICATE REQUEST     | holds CERTIFICATE REQUEST; it should hold certificates
          tls.crt | CERTIFICATE             | is damaged: certificate 1 in it cannot be read
          ca.crt  | X509 CRL                | holds X509 CRL; it should hold certificates
          ca.crt  | TRUSTED CERTIFICATE     | holds TRUSTED CERTIFICATE; it should hold certificates
          ca.crt  | PRIVATE KEY             | holds PRIVATE KEY; it should hold certificates
          """)
  void anotherKindOfBlockIsRefusedByName(String name, String label, String complaint)
      throws Exception {
    write(name, pem(new PemObject(label, new byte[] {1, 2, 3})));
    requireRefused(name, complaint, "");
  }

  @Test
  void twoKeysAreOneTooMany() throws Exception {
    write("tls.key", text("tls.key") + text("tls.key"));
    requireRefused("tls.key", "holds 2 private keys", "leave the one of tls.crt");
  }

  @Test
  void theOwnCertificateIsNoAuthority() throws Exception {
    write("ca.crt", pem(own));
    requireRefused(
        "ca.crt",
        "holds no authority's certificate but that of CN=agent, issued by CN=authority",
        "put the issuer's certificate there");
  }

  private Credentials read() throws UnusableCertificatesException {
    return CertificateFiles.read(work).parse();
  }

  private Credentials requireRead() throws UnusableCertificatesException {
    Credentials read = read();
    assertThat(read.own()).isEqualTo(own);
    assertThat(read.key().getAlgorithm()).isEqualTo(own.getPublicKey().getAlgorithm());
    return read;
  }

  private void requireRefused(String name, String found, String remedy) {
    assertThatThrownBy(this::read)
        .isInstanceOf(UnusableCertificatesException.class)
        .hasMessageContaining(work.resolve(name) + " ")
        .hasMessageContaining(found)
        .hasMessageContaining(remedy);
  }

  private String text(String name) throws IOException {
    return Files.readString(work.resolve(name));
  }

  private void write(String name, String content) throws IOException {
    Files.writeString(work.resolve(name), content);
  }

  private static String pem(Object content) throws IOException {
    StringWriter text = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
      writer.writeObject(content);
    }
    return text.toString();
  }

  private static KeyPair ec(String curve) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec(curve));
    return generator.generateKeyPair();
  }

  private static X509Certificate certificate(
      String issuer, String name, KeyPair subject, KeyPair signer, boolean ofAuthority)
      throws Exception {
    Instant now = Instant.now();
    return certificate(
        issuer, name, subject, signer, ofAuthority, now.minusSeconds(3600), now.plusSeconds(3600));
  }

  private static X509Certificate certificate(
      String issuer,
      String name,
      KeyPair subject,
      KeyPair signer,
      boolean ofAuthority,
      Instant from,
      Instant to)
      throws Exception {
    X509v3CertificateBuilder builder =
        new JcaX509v3CertificateBuilder(
            new X500Name("CN=" + issuer),
            BigInteger.valueOf(from.getNano() + 1L),
            Date.from(from),
            Date.from(to),
            new X500Name("CN=" + name),
            subject.getPublic());
    builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(ofAuthority));
    return new JcaX509CertificateConverter()
        .getCertificate(
            builder.build(
                new JcaContentSignerBuilder("SHA256withECDSA").build(signer.getPrivate())));
  }
}
