package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.connections.certificates.CertificateKeeper;
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

  /** Password of a key store that lies in the memory of this process alone. */
  private static final String PASSWORD = "control";

  /** Takes a chain in whatever order it comes. */
  private static final String TYPE = "JKS";

  private final CertificateKeeper<Answers> certificates;
  private Answers inUse;

  /**
   * The same two objects while the files are unchanged: with others the server would begin anew
   * with its connections.
   */
  private record Answers(KeyStoreAndKeyCertOptions own, TrustStoreAndTrustOptions trusted) {}

  ControlCertificates(AgentConfig config) {
    this.certificates =
        new CertificateKeeper<>(
            config.tlsDirectory(), "control service", LOG, ControlCertificates::answers);
  }

  @Override
  public synchronized KeyStoreAndKeyCertOptions getKeyStore(Vertx vertx) {
    try {
      inUse = certificates.read();
      return inUse.own();
    } catch (GeneralSecurityException | IOException unusable) {
      throw new IllegalStateException(
          "this agent has no usable certificate in "
              + certificates.directory()
              + ": "
              + unusable.getMessage(),
          unusable);
    }
  }

  /** Made of the files that {@link #getKeyStore} has just read, so that both fit together. */
  @Override
  public synchronized TrustStoreAndTrustOptions getTrustStore(Vertx vertx) {
    return inUse.trusted();
  }

  private static Answers answers(Credentials credentials)
      throws GeneralSecurityException, IOException {
    KeyStore own = emptyStore();
    own.setKeyEntry("own", credentials.key(), PASSWORD.toCharArray(), credentials.chainArray());
    KeyStore trusted = credentials.trustStore();
    return new Answers(
        new KeyStoreAndKeyCertOptions(own, options(own)),
        new TrustStoreAndTrustOptions(trusted, options(trusted)));
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
