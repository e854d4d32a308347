package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.journal.SessionJournals;
import dev.vfio.migration.agent.journal.file.JournalImage;
import dev.vfio.migration.agent.journal.file.JournalReader;
import dev.vfio.migration.agent.journal.file.RecordCodec;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A disk that may be full, that keeps a part of what was being written when the agent ends, and
 * that may damage what it holds. The bytes on it are those of the real format.
 */
final class ModelJournals implements SessionJournals {
  private final Node node;
  private final Chance chance;
  private final Map<SessionKey, Journal> journals = new LinkedHashMap<>();
  private boolean damaged;
  private int endsRefused;

  /** One session's journal as it is on the disk. */
  private static final class Journal {
    private final Role role;
    private final List<SessionRecord> written = new ArrayList<>();
    private byte[] image = new byte[0];
    private List<SessionRecord> mended = List.of();

    Journal(Role role) {
      this.role = role;
    }
  }

  ModelJournals(Node node, Chance chance) {
    this.node = node;
    this.chance = chance;
  }

  /** Every entry that was ever written for that session, also those that were lost since. */
  List<SessionRecord> of(SessionKey key) {
    Journal journal = journals.get(key);
    return journal == null ? List.of() : journal.written;
  }

  /** Whether anything on this disk is not as it was written. */
  boolean damaged() {
    return damaged;
  }

  /** There is no room for so many entries that end a session. */
  void refuseEnds(int times) {
    endsRefused = times;
  }

  /** Changes what is on the disk, of every session. */
  void damage(UnaryOperator<byte[]> change) {
    for (Journal journal : journals.values()) {
      byte[] changed = change.apply(journal.image.clone());
      damaged |= !Arrays.equals(changed, journal.image);
      journal.image = changed;
    }
  }

  @Override
  public SessionJournal create(SessionKey key, Role role) {
    return appending(key, new Journal(role));
  }

  private SessionJournal appending(SessionKey key, Journal journal) {
    return new SessionJournal() {
      @Override
      public void append(SessionRecord record) throws IOException {
        node.mayCrash();
        if (chance.fault(40) || (record.terminal() && endsRefused-- > 0)) {
          throw new IOException("no space left on device");
        }
        write(key, journal, RecordCodec.encode(record));
        journal.written.add(record);
        node.mayCrash();
      }

      @Override
      public void close() {
        // Every entry is durable.
      }
    };
  }

  private void write(SessionKey key, Journal journal, byte[] payload) throws IOException {
    boolean whole = journal.image.length == 0 || !journal.mended.isEmpty();
    if (whole) {
      // A file comes into being by a rename: with this entry or not at all.
      List<byte[]> payloads = new ArrayList<>();
      for (SessionRecord record : journal.mended) {
        payloads.add(RecordCodec.encode(record));
      }
      payloads.add(payload);
      node.mayCrash();
      journal.image = JournalImage.of(payloads);
      journal.mended = List.of();
      journals.put(key, journal);
      return;
    }
    byte[] before = journal.image;
    byte[] entry = JournalImage.entry(payload);
    int count = JournalImage.read(before).entries().size();
    try {
      node.mayCrash();
    } catch (Crash torn) {
      journal.image = concatenated(before, Arrays.copyOf(entry, chance.below(entry.length + 1)));
      throw torn;
    }
    journal.image = concatenated(before, entry);
    byte[] slot = JournalImage.slot(count + 1);
    System.arraycopy(slot, 0, journal.image, JournalImage.slotOffset(count + 1), slot.length);
  }

  private static byte[] concatenated(byte[] first, byte[] second) {
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  @Override
  public List<Found> recover() {
    List<Found> found = new ArrayList<>();
    journals.forEach(
        (key, journal) -> {
          JournalReader.Reading reading =
              JournalReader.read(key, journal.role, JournalImage.read(journal.image));
          for (SessionRecord record : reading.records()) {
            // One that was being written when the agent ended may have come to the disk whole.
            if (!journal.written.contains(record)) {
              journal.written.add(record);
            }
          }
          if (reading.usable() && reading.damage() != null) {
            journal.mended = reading.records();
          } else if (reading.usable()) {
            journal.image = goesOn(journal.image);
          }
          found.add(
              new Found(
                  key,
                  journal.role,
                  reading.records(),
                  reading.damage(),
                  reading.usable() ? appending(key, journal) : null));
        });
    return found;
  }

  /** Without a torn tail, and with a head that counts what is there. */
  private static byte[] goesOn(byte[] image) {
    JournalImage.Contents contents = JournalImage.read(image);
    byte[] cut = Arrays.copyOf(image, contents.end());
    int count = contents.entries().size();
    for (int slots : new int[] {count - 1, count}) {
      byte[] slot = JournalImage.slot(slots);
      System.arraycopy(slot, 0, cut, JournalImage.slotOffset(slots), slot.length);
    }
    return cut;
  }

  @Override
  public void setAside(Found found, String why) {
    journals.remove(found.key());
  }

  @Override
  public void remove(SessionKey key) {
    journals.remove(key);
  }
}
