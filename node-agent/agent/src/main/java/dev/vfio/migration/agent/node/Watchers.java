package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.session.SessionWatcher;
import java.util.List;

/** Reports to several watchers, in order. */
record Watchers(List<SessionWatcher> all) implements SessionWatcher {
  @Override
  public void changed(SessionSnapshot before, SessionSnapshot now) {
    all.forEach(watcher -> watcher.changed(before, now));
  }

  @Override
  public void removed(SessionKey key) {
    all.forEach(watcher -> watcher.removed(key));
  }

  @Override
  public void fault(SessionKey key, String doing, RuntimeException fault) {
    all.forEach(watcher -> watcher.fault(key, doing, fault));
  }
}
