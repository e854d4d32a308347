package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.connections.certificates.CertificateDirectory;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.Credentials;
import io.quarkus.tls.runtime.KeyStoreAndKeyCertOptions;
import io.quarkus.tls.runtime.KeyStoreProvider;
import io.quarkus.tls.runtime.TrustStoreAndTrustOptions;
import io.quarkus.tls.runtime.TrustStoreProvider;
import io.smallrye.common.annotation.Identifier;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.KeyStoreOptions;
import jakarta.inject.Singleton;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import org.jboss.logging.Logger;

/**
 * What the control service shows and whom it trusts: the files that the state stream has, read and
 * refused in the same way. Asked at the start, where a refusal ends it, and at each reload, where
 * what was good before stays.
 */
@Singleton
@Identifier("control")
final class ControlCertificates implements KeyStoreProvider, TrustStoreProvider {
  private static final Logger LOG = Logger.getLogger(ControlCertificates.class);

  /** Of a key store that lies in the memory of this process alone. */
  private static final String PASSWORD = "control";

  /** Takes a chain in whatever order it comes. */
  private static final String TYPE = "JKS";

  private final CertificateDirectory directory;
  private Answers inUse;
  private String lastTrouble = "";

  /** The same while the files are: others would have the server take its connections anew. */
  private record Answers(
      CertificateFiles files,
      Credentials credentials,
      KeyStoreAndKeyCertOptions own,
      TrustStoreAndTrustOptions trusted) {}

  ControlCertificates(AgentConfig config) {
    this.directory = new CertificateDirectory(config.tlsDirectory());
  }

  @Override
  public synchronized KeyStoreAndKeyCertOptions getKeyStore(Vertx vertx) {
    try {
      CertificateFiles files = directory.read();
      if (inUse == null || !inUse.files().isSameAs(files)) {
        inUse = answers(files);
      }
      lastTrouble = "";
      return inUse.own();
    } catch (GeneralSecurityException | IOException unusable) {
      throw refused(unusable);
    }
  }

  /** Of the files that {@link #getKeyStore} has just read, so that both fit together. */
  @Override
  public synchronized TrustStoreAndTrustOptions getTrustStore(Vertx vertx) {
    return inUse.trusted();
  }

  private static Answers answers(CertificateFiles files)
      throws GeneralSecurityException, IOException {
    Credentials credentials = files.parse();
    KeyStore own = emptyStore();
    own.setKeyEntry("own", credentials.key(), PASSWORD.toCharArray(), credentials.chainArray());
    KeyStore trusted = credentials.trustStore();
    return new Answers(
        files,
        credentials,
        new KeyStoreAndKeyCertOptions(own, options(own)),
        new TrustStoreAndTrustOptions(trusted, options(trusted)));
  }

  private IllegalStateException refused(Exception unusable) {
    String trouble = unusable.getMessage();
    if (inUse != null && !lastTrouble.equals(trouble)) {
      lastTrouble = trouble;
      LOG.warnf(
          "control service: the certificates in %s cannot be used as they are now (%s); goes on"
              + " with those from before, which are valid until %s",
          directory.path(), trouble, inUse.credentials().own().getNotAfter().toInstant());
    }
    return new IllegalStateException(
        "this agent has no usable certificate in " + directory.path() + ": " + trouble, unusable);
  }

  private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance(TYPE);
    store.load(null, null);
    return store;
  }

  private static KeyStoreOptions options(KeyStore store)
      throws GeneralSecurityException, IOException {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    store.store(content, PASSWORD.toCharArray());
    return new KeyStoreOptions()
        .setType(store.getType())
        .setPassword(PASSWORD)
        .setValue(Buffer.buffer(content.toByteArray()));
  }
}
