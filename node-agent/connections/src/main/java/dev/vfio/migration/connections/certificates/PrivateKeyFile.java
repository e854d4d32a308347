package dev.vfio.migration.connections.certificates;

import dev.vfio.migration.connections.certificates.PemFile.Block;
import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.interfaces.RSAKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.List;

/**
 * A private key in PEM: PKCS#8 ({@code PRIVATE KEY}), PKCS#1 ({@code RSA PRIVATE KEY}) or SEC1
 * ({@code EC PRIVATE KEY}); EC, RSA or Ed25519.
 */
final class PrivateKeyFile {
  private static final String PKCS_8 = "PRIVATE KEY";
  private static final String PKCS_1 = "RSA PRIVATE KEY";
  private static final String SEC_1 = "EC PRIVATE KEY";
  private static final String EXPECTED = "a key (PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY)";

  /**
   * Algorithms whose keys are read. A key that none of them reads is damaged, or of another kind.
   */
  private static final List<String> ALGORITHMS = List.of("EC", "RSA", "Ed25519");

  private static final byte[] MESSAGE = {1};
  private static final int SEQUENCE = 0x30;
  private static final int OCTETS = 0x04;
  private static final byte[] VERSION_0 = {0x02, 0x01, 0x00};
  private static final byte[] RSA = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 1, 1, 1, 5, 0
  };

  private PrivateKeyFile() {}

  /**
   * The key, and which of the certificates it belongs to.
   *
   * @param certificates of {@code chainFile}, one or more
   */
  record Found(PrivateKey key, X509Certificate certificate) {}

  static Found read(PemFile file, PemFile chainFile, List<X509Certificate> certificates)
      throws UnusableCertificatesException {
    Block block = only(file);
    for (X509Certificate certificate : certificates) {
      PrivateKey key = key(file, block, certificate.getPublicKey());
      if (key != null && belongTogether(key, certificate.getPublicKey())) {
        return new Found(key, certificate);
      }
    }
    throw new UnusableCertificatesException(
        String.format(
            "the key in %s is not that of %s (%s, %s%s); put the two there that were made together",
            file.path(),
            chainFile.path().getFileName(),
            certificates.get(0).getSubjectX500Principal().getName(),
            certificates.get(0).getPublicKey().getAlgorithm(),
            certificates.size() == 1 ? "" : ", nor of the others in it"));
  }

  private static Block only(PemFile file) throws UnusableCertificatesException {
    List<Block> blocks = file.blocks(EXPECTED);
    List<Block> keys = blocks.stream().filter(block -> block.label().endsWith(PKCS_8)).toList();
    if (keys.size() != 1) {
      throw new UnusableCertificatesException(
          file.path()
              + (keys.isEmpty()
                  ? " holds no private key but: " + PemFile.labels(blocks)
                  : " holds " + keys.size() + " private keys; leave the one of tls.crt")
              + "; it should hold "
              + EXPECTED);
    }
    Block key = keys.get(0);
    if (key.encrypted() || key.label().equals("ENCRYPTED " + PKCS_8)) {
      throw new UnusableCertificatesException(
          String.format(
              "%s is encrypted (%s), and nobody can be asked for its password; store it decrypted:"
                  + " openssl pkey -in tls.key -out tls.key.new",
              file.path(), key.label()));
    }
    if (!List.of(PKCS_8, PKCS_1, SEC_1).contains(key.label())) {
      throw new UnusableCertificatesException(
          String.format(
              "%s holds %s, which is not known; it should hold %s",
              file.path(), key.label(), EXPECTED));
    }
    return key;
  }

  /** Null where it cannot be the key of {@code published}. */
  private static PrivateKey key(PemFile file, Block block, PublicKey published)
      throws UnusableCertificatesException {
    byte[] encoded =
        switch (block.label()) {
          case PKCS_1 -> wrapped(RSA, block.content());
          // SEC1 may leave out which curve it is; the certificate says it.
          case SEC_1 ->
              published.getAlgorithm().equals("EC")
                  ? wrapped(algorithmOf(published), block.content())
                  : null;
          default -> block.content();
        };
    if (encoded == null) {
      return null;
    }
    GeneralSecurityException last = null;
    for (String algorithm : ALGORITHMS) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
      } catch (GeneralSecurityException other) {
        last = other;
      }
    }
    throw new UnusableCertificatesException(
        String.format(
            "%s holds a %s that cannot be read: it is damaged, or none of %s (of EC: P-256, P-384,"
                + " P-521)",
            file.path(), block.label(), ALGORITHMS),
        last);
  }

  private static boolean belongTogether(PrivateKey key, PublicKey published) {
    if (key instanceof RSAKey own && published instanceof RSAKey other) {
      return own.getModulus().equals(other.getModulus());
    }
    String algorithm = key.getAlgorithm().equals("EC") ? "SHA256withECDSA" : key.getAlgorithm();
    try {
      Signature signing = Signature.getInstance(algorithm);
      signing.initSign(key);
      signing.update(MESSAGE);
      Signature verifying = Signature.getInstance(algorithm);
      verifying.initVerify(published);
      verifying.update(MESSAGE);
      return verifying.verify(signing.sign());
    } catch (GeneralSecurityException otherKind) {
      // A key of one kind or curve cannot verify what one of another signed.
      return false;
    }
  }

  /** PKCS#8: the version, what kind of key it is, and the key as it was. */
  private static byte[] wrapped(byte[] algorithm, byte[] key) {
    return der(SEQUENCE, VERSION_0, algorithm, der(OCTETS, key));
  }

  /** The first part of a public key as X.509 has it, SEQUENCE {algorithm, key}. */
  private static byte[] algorithmOf(PublicKey key) {
    byte[] encoded = key.getEncoded();
    int start = headerBytes(encoded, 0);
    int end = start + headerBytes(encoded, start) + contentBytes(encoded, start);
    return Arrays.copyOfRange(encoded, start, end);
  }

  private static int headerBytes(byte[] der, int at) {
    return der[at + 1] < 0 ? 2 + (der[at + 1] & 0x7f) : 2;
  }

  private static int contentBytes(byte[] der, int at) {
    return der[at + 1] < 0
        ? new BigInteger(1, Arrays.copyOfRange(der, at + 2, at + headerBytes(der, at))).intValue()
        : der[at + 1];
  }

  private static byte[] der(int tag, byte[]... parts) {
    int length = Arrays.stream(parts).mapToInt(part -> part.length).sum();
    ByteArrayOutputStream encoded = new ByteArrayOutputStream(length + 5);
    encoded.write(tag);
    if (length < 0x80) {
      encoded.write(length);
    } else {
      byte[] digits = BigInteger.valueOf(length).toByteArray();
      int skipped = digits[0] == 0 ? 1 : 0;
      encoded.write(0x80 | digits.length - skipped);
      encoded.write(digits, skipped, digits.length - skipped);
    }
    Arrays.stream(parts).forEach(encoded::writeBytes);
    return encoded.toByteArray();
  }
}
