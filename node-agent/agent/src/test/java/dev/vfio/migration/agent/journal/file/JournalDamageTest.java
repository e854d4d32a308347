package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.journal.SessionJournals.Found;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SourceSpec;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is read of a journal after a crash, and after its disk damaged it. */
class JournalDamageTest {
  private static final SessionKey KEY = new SessionKey("8d1f-4c", 2);
  private static final SourceSpec SOURCE =
      new SourceSpec(
          KEY, "default/m", "gpu-0", "node-b", "10.0.0.2", 9444, Mode.LIVE, 1, 0, 7, List.of());
  private static final List<SessionRecord> WAITING =
      List.of(
          new SessionRecord.SourceStarted(SOURCE),
          new SessionRecord.SwitchingOver(42),
          new SessionRecord.EndAllowed(Progress.NONE));
  private static final SessionRecord ROLLING_BACK = new SessionRecord.RollingBack(true, null);
  private static final SessionRecord ROLLED_BACK =
      new SessionRecord.RolledBack(null, Progress.NONE);

  @TempDir Path directory;

  private Path file() {
    return directory.resolve("8d1f-4c.2.source.journal");
  }

  private byte[] write(List<SessionRecord> records) throws IOException {
    Files.deleteIfExists(file());
    try (JournalDirectory journals = new JournalDirectory(directory);
        SessionJournal journal = journals.create(KEY, Role.SOURCE)) {
      for (SessionRecord record : records) {
        journal.append(record);
      }
    }
    return Files.readAllBytes(file());
  }

  private Found recover() throws IOException {
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      return journals.recover().get(0);
    }
  }

  private static JournalReader.Reading read(byte[] bytes) {
    return JournalReader.read(KEY, Role.SOURCE, JournalImage.read(bytes));
  }

  private static byte[] with(byte[] first, byte[] second) {
    ByteArrayOutputStream both = new ByteArrayOutputStream();
    both.writeBytes(first);
    both.writeBytes(second);
    return both.toByteArray();
  }

  @Test
  void anAppendThatACrashTearsAtAnyByteWasNeverActedOnAndIsCutOff() throws IOException {
    for (int written = 1; written <= WAITING.size(); written++) {
      byte[] before = write(WAITING.subList(0, written));
      byte[] entry = JournalImage.entry(RecordCodec.encode(ROLLING_BACK));
      for (int length = 0; length < entry.length; length++) {
        Files.write(file(), with(before, Arrays.copyOf(entry, length)));
        try (JournalDirectory journals = new JournalDirectory(directory)) {
          Found found = journals.recover().get(0);
          assertThat(found.damage()).isNull();
          assertThat(found.records()).isEqualTo(WAITING.subList(0, written));
          found.journal().append(ROLLED_BACK);
          found.journal().close();
        }
        Found later = recover();
        assertThat(later.damage()).isNull();
        assertThat(later.records()).hasSize(written + 1).endsWith(ROLLED_BACK);
      }
    }
  }

  @Test
  void anEntryWhoseCountACrashKeptBackCounts() throws IOException {
    byte[] entry = JournalImage.entry(RecordCodec.encode(WAITING.get(2)));
    Files.write(file(), with(write(WAITING.subList(0, 2)), entry));
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      Found found = journals.recover().get(0);
      assertThat(found.damage()).isNull();
      assertThat(found.records()).isEqualTo(WAITING);
      found.journal().append(ROLLING_BACK);
      found.journal().close();
    }
    assertThat(recover().damage()).isNull();
  }

  @Test
  void aJournalThatWasNotCompleteNeverWasOne() throws IOException {
    Files.write(directory.resolve("8d1f-4c.2.source.journal.new"), new byte[] {1});
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      assertThat(journals.recover()).isEmpty();
    }
    assertThat(directory.resolve("8d1f-4c.2.source.journal.new")).doesNotExist();
  }

  /** The hole: a flipped bit in the last entry passed for a torn tail. */
  @Test
  void noFlippedBitMakesAnEntryDisappearUnseen() throws IOException {
    for (int count = 1; count <= WAITING.size(); count++) {
      List<SessionRecord> written = WAITING.subList(0, count);
      byte[] image = write(written);
      for (int at = 0; at < image.length; at++) {
        for (int bit = 0; bit < Byte.SIZE; bit++) {
          byte[] flipped = image.clone();
          flipped[at] ^= (byte) (1 << bit);
          JournalReader.Reading reading = read(flipped);
          if (reading.damage() == null) {
            assertThat(reading.records()).isEqualTo(written);
          } else if (reading.usable()) {
            assertThat(reading.records().get(reading.records().size() - 1))
                .isInstanceOf(SessionRecord.EntriesLost.class);
          }
        }
      }
    }
  }

  @Test
  void noTailIsLostUnseen() throws IOException {
    for (int count = 1; count <= WAITING.size(); count++) {
      byte[] image = write(WAITING.subList(0, count));
      for (int length = 0; length < image.length; length++) {
        JournalReader.Reading reading = read(Arrays.copyOf(image, length));
        assertThat(reading.damage()).as("%d of %d bytes", length, image.length).isNotNull();
        assertThat(reading.usable()).isEqualTo(!reading.records().isEmpty());
      }
    }
  }

  @Test
  void nothingFollowsAnEntryThatEndsASession() throws IOException {
    List<SessionRecord> ended = new ArrayList<>(WAITING);
    ended.add(ROLLING_BACK);
    ended.add(ROLLED_BACK);
    byte[] image = write(ended);
    int second = JournalImage.HEAD_BYTES + 8 + RecordCodec.encode(ended.get(0)).length;
    image[second + 12] ^= 1;
    JournalReader.Reading reading = read(image);
    assertThat(reading.damage()).contains("entry 2 of 5", "byte " + second);
    assertThat(reading.records()).containsExactly(ended.get(0), ROLLED_BACK);
  }

  @Test
  void aDamagedJournalIsKeptAndAWholeOneTakesItsPlace() throws IOException {
    byte[] image = write(WAITING);
    image[image.length - 5] ^= 1;
    Files.write(file(), image);
    SessionRecord lost;
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      Found found = journals.recover().get(0);
      assertThat(found.damage()).contains(file().toString(), "entry 3 of 3");
      lost = found.records().get(2);
      assertThat(Files.readAllBytes(file())).as("until the session appends").isEqualTo(image);
      found.journal().append(ROLLING_BACK);
      found.journal().append(ROLLED_BACK);
      found.journal().close();
    }
    assertThat(Files.readAllBytes(directory.resolve(file().getFileName() + ".damaged")))
        .isEqualTo(image);
    Found later = recover();
    assertThat(later.damage()).isNull();
    assertThat(later.records())
        .containsExactly(WAITING.get(0), WAITING.get(1), lost, ROLLING_BACK, ROLLED_BACK);
  }

  @Test
  void aJournalThatIsSetAsideIsKeptAndNotFoundAgain() throws IOException {
    byte[] image = write(WAITING);
    image[image.length - 5] ^= 1;
    Files.write(file(), image);
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      journals.setAside(journals.recover().get(0), "Another session has the device.");
      assertThat(journals.recover()).isEmpty();
    }
    assertThat(Files.readAllBytes(directory.resolve(file().getFileName() + ".damaged")))
        .isEqualTo(image);
  }

  @Test
  void aJournalOfAnEarlierVersionMayHaveLostItsTail() throws IOException {
    ByteArrayOutputStream old = new ByteArrayOutputStream();
    for (SessionRecord record : WAITING.subList(0, 2)) {
      old.writeBytes(JournalImage.entry(RecordCodec.encode(record)));
    }
    JournalReader.Reading reading = read(old.toByteArray());
    assertThat(reading.usable()).isTrue();
    assertThat(reading.records().subList(0, 2)).isEqualTo(WAITING.subList(0, 2));
    assertThat(reading.records().get(2)).isInstanceOf(SessionRecord.EntriesLost.class);
  }

  @Test
  void anEntryOfALaterVersionIsNotGoneOnWith() throws IOException {
    byte[] later = "{\"entry\":\"HandedOver\"}\n".getBytes(StandardCharsets.UTF_8);
    JournalReader.Reading reading =
        read(JournalImage.of(List.of(RecordCodec.encode(WAITING.get(0)), later)));
    assertThat(reading.usable()).isFalse();
    assertThat(reading.damage()).contains("HandedOver");
  }

  @Test
  void anotherSessionsJournalIsNotGoneOnWith() throws IOException {
    byte[] image = write(WAITING);
    JournalReader.Reading renamed =
        JournalReader.read(new SessionKey("another", 2), Role.SOURCE, JournalImage.read(image));
    assertThat(renamed.usable()).isFalse();
    assertThat(renamed.damage()).contains("not that of the session in its name");
    assertThat(JournalReader.read(KEY, Role.DESTINATION, JournalImage.read(image)).usable())
        .isFalse();
  }

  @Test
  void anAppendThatFailsLeavesWhatWasThere() throws IOException {
    try (JournalDirectory journals = new JournalDirectory(directory);
        SessionJournal journal = journals.create(KEY, Role.SOURCE)) {
      journal.append(WAITING.get(0));
      byte[] before = Files.readAllBytes(file());
      byte[] tooLong = new byte[JournalImage.MAX_PAYLOAD_BYTES];
      Arrays.fill(tooLong, (byte) 'x');
      assertThatThrownBy(
              () ->
                  journal.append(
                      new SessionRecord.EntriesLost(
                          new String(tooLong, StandardCharsets.US_ASCII))))
          .isInstanceOf(IOException.class);
      assertThat(Files.readAllBytes(file())).isEqualTo(before);
      journal.append(WAITING.get(1));
    }
    assertThat(recover().records()).isEqualTo(WAITING.subList(0, 2));
  }

  @Test
  void noBytesAreTooOddToBeRead() {
    Random random = new Random(7);
    for (int round = 0; round < 20_000; round++) {
      byte[] bytes = new byte[random.nextInt(200)];
      random.nextBytes(bytes);
      if (random.nextBoolean() && bytes.length >= JournalImage.HEAD_BYTES) {
        System.arraycopy("VFIOJRN2".getBytes(StandardCharsets.US_ASCII), 0, bytes, 0, 8);
      }
      JournalReader.Reading reading = read(bytes);
      assertThat(reading.usable()).isFalse();
      assertThat(reading.damage()).isNotNull();
    }
  }
}
