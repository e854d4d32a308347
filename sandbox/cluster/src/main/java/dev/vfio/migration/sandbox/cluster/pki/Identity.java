package dev.vfio.migration.sandbox.cluster.pki;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.PrivateKey;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.Base64;

/**
 * A private key with its certificate and the authority that its holder trusts.
 *
 * @param key of the certificate
 * @param certificate what the holder presents
 * @param trusted the authority whose certificates the holder accepts; for a stranger this is not
 *     the one that issued {@code certificate}
 */
public record Identity(PrivateKey key, X509Certificate certificate, X509Certificate trusted) {

  /** The same key and certificate, held by a party that trusts another authority. */
  public Identity trusting(X509Certificate authority) {
    return new Identity(key, certificate, authority);
  }

  /**
   * Writes {@code tls.crt}, {@code tls.key} (PKCS#8) and {@code ca.crt}, as a mounted secret of
   * type kubernetes.io/tls has them. Each file is replaced in one step, so that a process that
   * reads them again never sees half a file; the key first, so that a reader woken by the
   * certificate finds both.
   */
  public void writeTo(Path directory) throws IOException {
    Files.createDirectories(directory);
    replace(directory.resolve("tls.key"), pem("PRIVATE KEY", key.getEncoded()));
    replace(directory.resolve("ca.crt"), pem("CERTIFICATE", encoded(trusted)));
    replace(directory.resolve("tls.crt"), pem("CERTIFICATE", encoded(certificate)));
  }

  private static void replace(Path file, String content) throws IOException {
    Path fresh = file.resolveSibling(file.getFileName() + ".new");
    Files.deleteIfExists(fresh);
    Files.createFile(
        fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(fresh, content);
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static byte[] encoded(X509Certificate certificate) {
    try {
      return certificate.getEncoded();
    } catch (CertificateEncodingException e) {
      throw new IllegalStateException("a certificate that was just issued has no encoding", e);
    }
  }

  private static String pem(String type, byte[] content) {
    String lines =
        Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII)).encodeToString(content);
    return "-----BEGIN " + type + "-----\n" + lines + "\n-----END " + type + "-----\n";
  }
}
