package dev.vfio.migration.agent.journal.file;

import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionRecord.*;
import java.util.Arrays;

/**
 * The names of journal entries on disk; they never change. An entry without a name does not
 * compile: {@link Names} names every kind.
 */
enum EntryName {
  ENTRIES_LOST("EntriesLost", EntriesLost.class),
  SOURCE_STARTED("SourceStarted", SourceStarted.class),
  SWITCHING_OVER("SwitchingOver", SwitchingOver.class),
  END_ALLOWED("EndAllowed", EndAllowed.class),
  COMMITTED("Committed", Committed.class),
  COMPLETED("Completed", Completed.class),
  ROLLING_BACK("RollingBack", RollingBack.class),
  ROLLED_BACK("RolledBack", RolledBack.class),
  PREPARED("Prepared", Prepared.class),
  LOADED("Loaded", Loaded.class),
  ACTIVATING("Activating", Activating.class),
  STATE_LOST("StateLost", StateLost.class),
  ACTIVE("Active", Active.class),
  DISCARDING("Discarding", Discarding.class),
  DISCARDED("Discarded", Discarded.class);

  private static final Names NAMES = new Names();

  private final String onDisk;
  private final Class<? extends SessionRecord> type;

  EntryName(String onDisk, Class<? extends SessionRecord> type) {
    this.onDisk = onDisk;
    this.type = type;
  }

  static EntryName of(SessionRecord entry) {
    return entry.dispatch(NAMES);
  }

  /** The entry of that name, null where there is none. */
  static EntryName onDisk(String name) {
    return Arrays.stream(values())
        .filter(entry -> entry.onDisk.equals(name))
        .findFirst()
        .orElse(null);
  }

  String onDisk() {
    return onDisk;
  }

  Class<? extends SessionRecord> type() {
    return type;
  }

  private static final class Names
      implements SessionRecord.Handler<EntryName>,
          OfSource.Handler<EntryName>,
          OfDestination.Handler<EntryName> {
    @Override
    public EntryName on(OfSource entry) {
      return entry.handle(this);
    }

    @Override
    public EntryName on(OfDestination entry) {
      return entry.handle(this);
    }

    @Override
    public EntryName on(EntriesLost entry) {
      return ENTRIES_LOST;
    }

    @Override
    public EntryName on(SourceStarted entry) {
      return SOURCE_STARTED;
    }

    @Override
    public EntryName on(SwitchingOver entry) {
      return SWITCHING_OVER;
    }

    @Override
    public EntryName on(EndAllowed entry) {
      return END_ALLOWED;
    }

    @Override
    public EntryName on(Committed entry) {
      return COMMITTED;
    }

    @Override
    public EntryName on(Completed entry) {
      return COMPLETED;
    }

    @Override
    public EntryName on(RollingBack entry) {
      return ROLLING_BACK;
    }

    @Override
    public EntryName on(RolledBack entry) {
      return ROLLED_BACK;
    }

    @Override
    public EntryName on(Prepared entry) {
      return PREPARED;
    }

    @Override
    public EntryName on(Loaded entry) {
      return LOADED;
    }

    @Override
    public EntryName on(Activating entry) {
      return ACTIVATING;
    }

    @Override
    public EntryName on(StateLost entry) {
      return STATE_LOST;
    }

    @Override
    public EntryName on(Active entry) {
      return ACTIVE;
    }

    @Override
    public EntryName on(Discarding entry) {
      return DISCARDING;
    }

    @Override
    public EntryName on(Discarded entry) {
      return DISCARDED;
    }
  }
}
