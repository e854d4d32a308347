package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.control.OperatorOnly;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.connections.Descriptors;
import dev.vfio.migration.connections.LimitedTransport;
import dev.vfio.migration.connections.NewConnection;
import dev.vfio.migration.connections.NewConnections;
import dev.vfio.migration.connections.NewConnections.Stage;
import dev.vfio.migration.connections.RefusalLog;
import io.netty.handler.ssl.SslHandler;
import io.smallrye.config.SmallRyeConfig;
import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.spi.VertxServiceProvider;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.eclipse.microprofile.config.ConfigProvider;
import org.jboss.logging.Logger;

/**
 * What unknown callers may hold at the ports that Quarkus listens on. At the control port, which
 * has TLS, a caller is unknown until it has shown the operator's certificate; at the health port it
 * always is. Made by Vert.x, before there are beans.
 */
public final class AgentPorts implements VertxServiceProvider {
  private static final Logger LOG = Logger.getLogger(AgentPorts.class);

  @Override
  public void init(VertxBuilder builder) {
    // Asked once a server listens: whoever has this class and no agent may use Vert.x as well.
    LimitedTransport.install(builder, AgentPorts::limits);
  }

  static DescriptorBudget budget(AgentConfig config) {
    return DescriptorBudget.of(
        Descriptors.limit(), config.maximumSessions(), StreamSettings.defaults());
  }

  private static NewConnections limits(NetServerOptions options) {
    AgentConfig config =
        ConfigProvider.getConfig().unwrap(SmallRyeConfig.class).getConfigMapping(AgentConfig.class);
    DescriptorBudget budget = budget(config);
    return options.isSsl()
        ? NewConnections.authenticated(
            budget.control(),
            new RefusalLog("control", LOG),
            connection -> awaitCertificate(connection, config.operatorName()))
        : NewConnections.anonymous(budget.health(), new RefusalLog("health", LOG));
  }

  private static void awaitCertificate(NewConnection connection, String operatorName) {
    SslHandler tls = connection.channel().pipeline().get(SslHandler.class);
    tls.handshakeFuture()
        .addListener(
            agreed -> {
              if (agreed.isSuccess()) {
                judge(connection, tls, operatorName);
              }
            });
  }

  private static void judge(NewConnection connection, SslHandler tls, String operatorName)
      throws SSLPeerUnverifiedException {
    X509Certificate shown = (X509Certificate) tls.engine().getSession().getPeerCertificates()[0];
    if (OperatorOnly.isOperator(shown, operatorName)) {
      connection.known();
    } else {
      // Some agent's. Its calls are refused with the reason; it may not stay.
      connection.reached(Stage.CERTIFIED);
    }
  }
}
