package dev.vfio.migration.agent.session.simulated;

import dev.vfio.migration.agent.session.Role;
import dev.vfio.migration.agent.session.SessionJournal;
import dev.vfio.migration.agent.session.SessionJournals;
import dev.vfio.migration.agent.session.SessionKey;
import dev.vfio.migration.agent.session.SessionRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A disk that may be full, and that loses what was not durable when the agent ends. */
final class ModelJournals implements SessionJournals {
  private final Node node;
  private final Chance chance;
  private final Map<SessionKey, List<SessionRecord>> durable = new LinkedHashMap<>();
  private final Map<SessionKey, Role> roles = new LinkedHashMap<>();

  ModelJournals(Node node, Chance chance) {
    this.node = node;
    this.chance = chance;
  }

  List<SessionRecord> of(SessionKey key) {
    return durable.getOrDefault(key, List.of());
  }

  @Override
  public SessionJournal create(SessionKey key, Role role) {
    return journal(key, role);
  }

  private SessionJournal journal(SessionKey key, Role role) {
    return new SessionJournal() {
      @Override
      public void append(SessionRecord record) throws IOException {
        node.mayCrash();
        if (chance.fault(40)) {
          throw new IOException("no space left on device");
        }
        roles.put(key, role);
        durable.computeIfAbsent(key, unused -> new ArrayList<>()).add(record);
        node.mayCrash();
      }

      @Override
      public void close() {
        // Every entry is durable.
      }
    };
  }

  @Override
  public List<Found> recover() {
    List<Found> found = new ArrayList<>();
    durable.forEach(
        (key, records) -> {
          Role role = roles.get(key);
          found.add(new Found(key, role, records, null, journal(key, role)));
        });
    return found;
  }

  @Override
  public void remove(SessionKey key) {
    durable.remove(key);
    roles.remove(key);
  }
}
