package dev.vfio.migration.operator.health;

import dev.vfio.migration.connections.ConnectionLimits;
import dev.vfio.migration.connections.Descriptors;
import dev.vfio.migration.connections.LimitedTransport;
import dev.vfio.migration.connections.NewConnections;
import dev.vfio.migration.connections.RefusalLog;
import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.spi.VertxServiceProvider;
import java.time.Duration;
import org.jboss.logging.Logger;

/**
 * What callers may hold at the port of health and metrics, the only one of the operator: its file
 * descriptors are for the API server and the agents. Created by Vert.x before there are beans.
 */
public final class OperatorPorts implements VertxServiceProvider {
  private static final Logger LOG = Logger.getLogger(OperatorPorts.class);

  /** A kubelet waits 10 s at most, Prometheus 10 s by default. */
  private static final Duration REQUEST_TIME = Duration.ofSeconds(15);

  private static final int MAX = 64;
  private static final int MIN = 8;

  /** Of how many descriptors of the process one counts in {@link ConnectionLimits#most}. */
  private static final int SHARE = 64;

  @Override
  public void init(VertxBuilder builder) {
    ConnectionLimits health = limits(Descriptors.limit());
    LOG.debugf("connections to the health port in each stage: %s", health);
    LimitedTransport.install(
        builder, options -> NewConnections.anonymous(health, new RefusalLog("health", LOG)));
  }

  /**
   * @param descriptors that this process may have open; about a fifth of few may be such
   *     connections
   */
  static ConnectionLimits limits(long descriptors) {
    int most = (int) Math.max(MIN, Math.min(MAX, descriptors / SHARE));
    return new ConnectionLimits(most, most / 4, REQUEST_TIME);
  }
}
