package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.session.SessionWatcher;
import dev.vfio.migration.connections.log.LoggedMigration;
import java.util.Locale;
import java.util.Objects;
import org.jboss.logging.Logger;

/** One line for each change of a session's state and for each failure. */
final class SessionLog implements SessionWatcher {
  private static final Logger LOG = Logger.getLogger("dev.vfio.migration.agent.session");
  private static final double NANOS_PER_MILLI = 1e6;

  @Override
  @SuppressWarnings("try") // The log is what asks it.
  public void changed(SessionSnapshot before, SessionSnapshot now) {
    boolean moved = before == null || before.state() != now.state();
    boolean failed =
        now.failure() != null && (before == null || !now.failure().equals(before.failure()));
    if (!moved && !failed) {
      return;
    }
    try (LoggedMigration logged = LoggedMigration.open(now.migrationName(), now.key().attempt())) {
      if (moved) {
        LOG.infof(
            "%s: %s, device %s in %s%s%s",
            now.state(),
            now.state().description(),
            now.device(),
            Objects.requireNonNullElse(now.deviceState(), "a state not known"),
            now.recovered() && before == null ? ", recovered from the journal" : "",
            numbers(now));
      }
      if (failed) {
        Failure failure = now.failure();
        LOG.warnf("%s: %s", failure.reason(), failure.message());
      }
    }
  }

  private static String numbers(SessionSnapshot now) {
    StringBuilder text = new StringBuilder();
    if (now.progress().transferredBytes() > 0) {
      text.append(", ").append(now.progress().transferredBytes()).append(" bytes moved");
    }
    if (now.progress().downtimeNanos() > 0) {
      text.append(
          String.format(
              Locale.ROOT, ", downtime %.1f ms", now.progress().downtimeNanos() / NANOS_PER_MILLI));
    }
    if (now.state() == SessionState.SOURCE_AWAITING_DECISION) {
      text.append("; the workload stands still until then");
    }
    return text.toString();
  }

  @Override
  public void removed(SessionKey key) {
    LOG.debugf("the session %s is remembered no longer", key);
  }

  @Override
  public void fault(SessionKey key, String doing, RuntimeException fault) {
    LOG.errorf(fault, "a fault in the agent, session %s, at %s", key, doing);
  }
}
