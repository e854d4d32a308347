package dev.vfio.migration.connections.certificates;

import dev.vfio.migration.connections.certificates.PemFile.Block;
import java.io.ByteArrayInputStream;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/**
 * The content of a certificate directory as kubernetes.io/tls has it, at one moment: {@code
 * tls.crt}, {@code tls.key} and {@code ca.crt}, all in PEM. Does not show the key.
 */
public final class CertificateFiles {
  public static final String CERTIFICATE = "tls.crt";
  public static final String KEY = "tls.key";
  public static final String AUTHORITY = "ca.crt";

  private static final Set<String> LABELS =
      Set.of("CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE");

  /** Version of X.509 from which on certificates say whether they are an authority's. */
  private static final int SAYS_WHETHER_AUTHORITY = 3;

  private final PemFile certificate;
  private final PemFile key;
  private final PemFile authority;

  private CertificateFiles(PemFile certificate, PemFile key, PemFile authority) {
    this.certificate = certificate;
    this.key = key;
    this.authority = authority;
  }

  /**
   * @throws UnusableCertificatesException where one is missing or cannot be read
   */
  public static CertificateFiles read(Path directory) throws UnusableCertificatesException {
    return new CertificateFiles(
        PemFile.read(directory.resolve(CERTIFICATE)),
        PemFile.read(directory.resolve(KEY)),
        PemFile.read(directory.resolve(AUTHORITY)));
  }

  /** Whether all three files hold the same bytes. */
  public boolean isSameAs(CertificateFiles other) {
    return certificate.isSameAs(other.certificate)
        && key.isSameAs(other.key)
        && authority.isSameAs(other.authority);
  }

  /**
   * What the files say. Whether the certificate is valid now, and for whom it is, is not looked at.
   *
   * @throws UnusableCertificatesException where one of them cannot be used, or the key belongs to
   *     no certificate in {@code tls.crt}
   */
  public Credentials parse() throws UnusableCertificatesException {
    List<X509Certificate> chain = new ArrayList<>(certificates(certificate));
    PrivateKeyFile.Found found = PrivateKeyFile.read(key, certificate, chain);
    // TLS wants the own one first; in which order those above it come does not matter to it.
    chain.sort(Comparator.comparing(each -> !each.equals(found.certificate())));
    return new Credentials(found.key(), List.copyOf(chain), authorities());
  }

  private List<X509Certificate> authorities() throws UnusableCertificatesException {
    List<X509Certificate> authorities = certificates(authority);
    if (authorities.stream().noneMatch(CertificateFiles::mayBeAuthority)) {
      throw new UnusableCertificatesException(
          authority.path()
              + " holds no authority's certificate but that of "
              + authorities.get(0).getSubjectX500Principal().getName()
              + ", issued by "
              + authorities.get(0).getIssuerX500Principal().getName()
              + "; put the issuer's certificate there");
    }
    return authorities;
  }

  private static boolean mayBeAuthority(X509Certificate certificate) {
    return certificate.getBasicConstraints() >= 0
        || certificate.getVersion() < SAYS_WHETHER_AUTHORITY;
  }

  private static List<X509Certificate> certificates(PemFile file)
      throws UnusableCertificatesException {
    List<X509Certificate> certificates = new ArrayList<>();
    List<Block> blocks = file.blocks("certificates (CERTIFICATE)");
    for (Block block : blocks) {
      if (!LABELS.contains(block.label())) {
        throw new UnusableCertificatesException(
            file.path()
                + " holds "
                + PemFile.labels(blocks)
                + "; it should hold certificates (CERTIFICATE) and nothing else");
      }
      try {
        certificates.add(
            (X509Certificate)
                CertificateFactory.getInstance("X.509")
                    .generateCertificate(new ByteArrayInputStream(block.content())));
      } catch (CertificateException malformed) {
        throw new UnusableCertificatesException(
            String.format(
                "%s is damaged: certificate %s in it cannot be read (%s)",
                file.path(), certificates.size() + 1, malformed.getMessage()),
            malformed);
      }
    }
    return certificates;
  }

  @Override
  public String toString() {
    return "certificates in " + certificate.path().getParent();
  }
}
