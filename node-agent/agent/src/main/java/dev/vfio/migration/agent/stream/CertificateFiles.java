package dev.vfio.migration.agent.stream;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * The content of a certificate directory as kubernetes.io/tls has it, at one moment: {@code
 * tls.crt} (PEM chain, own certificate first), {@code tls.key} (PEM, PKCS#8), {@code ca.crt} (PEM).
 */
final class CertificateFiles {
  static final String CERTIFICATE = "tls.crt";
  static final String KEY = "tls.key";
  static final String AUTHORITY = "ca.crt";

  private static final List<String> KEY_ALGORITHMS = List.of("EC", "RSA", "Ed25519");

  private final Path directory;
  private final byte[] certificate;
  private final byte[] key;
  private final byte[] authority;

  private CertificateFiles(Path directory, byte[] certificate, byte[] key, byte[] authority) {
    this.directory = directory;
    this.certificate = certificate;
    this.key = key;
    this.authority = authority;
  }

  static CertificateFiles read(Path directory) throws IOException {
    return new CertificateFiles(
        directory,
        Files.readAllBytes(directory.resolve(CERTIFICATE)),
        Files.readAllBytes(directory.resolve(KEY)),
        Files.readAllBytes(directory.resolve(AUTHORITY)));
  }

  boolean isSameAs(CertificateFiles other) {
    return Arrays.equals(certificate, other.certificate)
        && Arrays.equals(key, other.key)
        && Arrays.equals(authority, other.authority);
  }

  /** Own certificate first. */
  X509Certificate[] chain() throws GeneralSecurityException {
    return certificates(CERTIFICATE, certificate);
  }

  /**
   * @throws GeneralSecurityException where it is not a key, or not the key of {@link #chain()}
   */
  PrivateKey privateKey() throws GeneralSecurityException {
    String pem = new String(key, StandardCharsets.US_ASCII);
    String begin = "-----BEGIN PRIVATE KEY-----";
    int start = pem.indexOf(begin);
    int end = pem.indexOf("-----END PRIVATE KEY-----");
    if (start < 0 || end < start) {
      throw new GeneralSecurityException(
          directory.resolve(KEY) + " has no PEM block PRIVATE KEY (PKCS#8)");
    }
    byte[] der;
    try {
      der = Base64.getMimeDecoder().decode(pem.substring(start + begin.length(), end));
    } catch (IllegalArgumentException malformed) {
      throw new GeneralSecurityException(directory.resolve(KEY) + " is no valid base64", malformed);
    }
    for (String algorithm : KEY_ALGORITHMS) {
      try {
        PrivateKey found =
            KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
        requirePair(found, chain()[0].getPublicKey());
        return found;
      } catch (InvalidKeySpecException otherAlgorithm) {
        continue;
      }
    }
    throw new GeneralSecurityException(
        directory.resolve(KEY) + " is none of the key kinds " + KEY_ALGORITHMS);
  }

  /** While files are being replaced one after the other, certificate and key may not match. */
  private void requirePair(PrivateKey secret, PublicKey open) throws GeneralSecurityException {
    String algorithm =
        switch (secret.getAlgorithm()) {
          case "EC" -> "SHA256withECDSA";
          case "RSA" -> "SHA256withRSA";
          default -> secret.getAlgorithm();
        };
    byte[] message = directory.toString().getBytes(StandardCharsets.UTF_8);
    boolean matches = secret.getAlgorithm().equals(open.getAlgorithm());
    if (matches || algorithm.startsWith("Ed")) {
      Signature signing = Signature.getInstance(algorithm);
      signing.initSign(secret);
      signing.update(message);
      Signature verifying = Signature.getInstance(algorithm);
      verifying.initVerify(open);
      verifying.update(message);
      matches = verifying.verify(signing.sign());
    }
    if (!matches) {
      throw new GeneralSecurityException(
          "the key in " + directory.resolve(KEY) + " is not that of " + CERTIFICATE);
    }
  }

  /** Trusts what {@code ca.crt} signed. */
  X509ExtendedTrustManager trust() throws GeneralSecurityException {
    try {
      KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
      authorities.load(null, null);
      int number = 0;
      for (X509Certificate each : certificates(AUTHORITY, authority)) {
        authorities.setCertificateEntry("authority-" + number++, each);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(authorities);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509ExtendedTrustManager found) {
          return new ExplainingTrust(found);
        }
      }
      throw new GeneralSecurityException("this Java platform has no X.509 trust manager");
    } catch (IOException unexpected) {
      throw new GeneralSecurityException("an empty key store cannot be made", unexpected);
    }
  }

  private X509Certificate[] certificates(String file, byte[] pem) throws GeneralSecurityException {
    X509Certificate[] found =
        CertificateFactory.getInstance("X.509")
            .generateCertificates(new ByteArrayInputStream(pem))
            .toArray(new X509Certificate[0]);
    if (found.length == 0) {
      throw new GeneralSecurityException(directory.resolve(file) + " has no certificate");
    }
    return found;
  }
}
