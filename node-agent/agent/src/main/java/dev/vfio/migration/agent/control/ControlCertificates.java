package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.configuration.AgentConfig;
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

  private final AgentConfig config;
  private Credentials inUse;
  private String lastTrouble = "";

  ControlCertificates(AgentConfig config) {
    this.config = config;
  }

  @Override
  public synchronized KeyStoreAndKeyCertOptions getKeyStore(Vertx vertx) {
    try {
      Credentials own = CertificateFiles.read(config.tlsDirectory()).parse();
      KeyStore store = emptyStore();
      store.setKeyEntry("own", own.key(), PASSWORD.toCharArray(), own.chainArray());
      KeyStoreAndKeyCertOptions answer =
          new KeyStoreAndKeyCertOptions(store, options(store));
      inUse = own;
      lastTrouble = "";
      return answer;
    } catch (GeneralSecurityException | IOException unusable) {
      throw refused(unusable);
    }
  }

  /** Of the files that {@link #getKeyStore} has just read, so that both fit together. */
  @Override
  public synchronized TrustStoreAndTrustOptions getTrustStore(Vertx vertx) {
    try {
      KeyStore store = emptyStore();
      int number = 0;
      for (var authority : inUse.authorities()) {
        store.setCertificateEntry("authority-" + number++, authority);
      }
      return new TrustStoreAndTrustOptions(store, options(store));
    } catch (GeneralSecurityException | IOException unusable) {
      throw refused(unusable);
    }
  }

  private IllegalStateException refused(Exception unusable) {
    String trouble = unusable.getMessage();
    if (inUse != null && !lastTrouble.equals(trouble)) {
      lastTrouble = trouble;
      LOG.warnf(
          "control service: the certificates in %s changed, but cannot be used (%s); goes on with"
              + " those from before, which are valid until %s",
          config.tlsDirectory(), trouble, inUse.own().getNotAfter().toInstant());
    }
    return new IllegalStateException(
        "this agent has no usable certificate in " + config.tlsDirectory() + ": " + trouble,
        unusable);
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
        .setType(TYPE)
        .setPassword(PASSWORD)
        .setValue(Buffer.buffer(content.toByteArray()));
  }
}
