package dev.vfio.migration.agent.configuration;

import java.time.Duration;
import org.jboss.logging.Logger;

/** Settings whose names changed. A former name works for one release, with a warning. */
public final class RenamedSettings {
  private static final Logger LOG = Logger.getLogger(RenamedSettings.class);

  private RenamedSettings() {}

  /** {@code agent.stop-timeout}, or what its former name {@code agent.stop-patience} says. */
  public static Duration stopTimeout(AgentConfig config) {
    return config.stopPatience().orElse(config.stopTimeout());
  }

  /** Warns of each former name that is given. */
  public static void warn(AgentConfig config) {
    if (config.stopPatience().isPresent()) {
      LOG.warnf(
          "agent.stop-patience (AGENT_STOP_PATIENCE) is called agent.stop-timeout"
              + " (AGENT_STOP_TIMEOUT) now; %s is in force, and the former name is refused by the"
              + " next release. Mend the name.",
          stopTimeout(config));
    }
  }
}
