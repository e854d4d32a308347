package dev.vfio.migration.connections.certificates;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * What a process shows and whom it trusts. Does not show the key.
 *
 * @param key of the first certificate of the chain
 * @param chain own certificate first; at least one
 * @param authorities at least one
 */
public record Credentials(
    PrivateKey key, List<X509Certificate> chain, List<X509Certificate> authorities) {

  public X509Certificate own() {
    return chain.get(0);
  }

  /** The chain as TLS libraries take it. */
  public X509Certificate[] chainArray() {
    return chain.toArray(X509Certificate[]::new);
  }

  /** The authorities as a key store, which is what trust managers are made of. */
  public KeyStore trustStore() throws GeneralSecurityException {
    try {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int number = 0;
      for (X509Certificate each : authorities) {
        store.setCertificateEntry("authority-" + number++, each);
      }
      return store;
    } catch (IOException unexpected) {
      throw new GeneralSecurityException("an empty key store cannot be made", unexpected);
    }
  }

  /** Trusts what one of the authorities signed, whoever it is for. */
  public X509ExtendedTrustManager trust() throws GeneralSecurityException {
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(trustStore());
    for (TrustManager manager : factory.getTrustManagers()) {
      if (manager instanceof X509ExtendedTrustManager found) {
        return found;
      }
    }
    throw new GeneralSecurityException("this Java platform has no X.509 trust manager");
  }

  @Override
  public String toString() {
    return "certificate of " + own().getSubjectX500Principal();
  }
}
