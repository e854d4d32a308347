package dev.vfio.migration.agent.journal.file;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Entries as JSON, one line each, so that a person can read a journal with {@code strings}. A field
 * that is not known is ignored, an entry that is not known is an error: it may be a point of no
 * return.
 */
public final class RecordCodec {

  /** The names of entries on disk; they never change. */
  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "entry")
  @JsonSubTypes({
    @JsonSubTypes.Type(value = SessionRecord.EntriesLost.class, name = "EntriesLost"),
    @JsonSubTypes.Type(value = SessionRecord.SourceStarted.class, name = "SourceStarted"),
    @JsonSubTypes.Type(value = SessionRecord.SwitchingOver.class, name = "SwitchingOver"),
    @JsonSubTypes.Type(value = SessionRecord.EndAllowed.class, name = "EndAllowed"),
    @JsonSubTypes.Type(value = SessionRecord.Committed.class, name = "Committed"),
    @JsonSubTypes.Type(value = SessionRecord.Completed.class, name = "Completed"),
    @JsonSubTypes.Type(value = SessionRecord.RollingBack.class, name = "RollingBack"),
    @JsonSubTypes.Type(value = SessionRecord.RolledBack.class, name = "RolledBack"),
    @JsonSubTypes.Type(value = SessionRecord.Prepared.class, name = "Prepared"),
    @JsonSubTypes.Type(value = SessionRecord.Loaded.class, name = "Loaded"),
    @JsonSubTypes.Type(value = SessionRecord.Activating.class, name = "Activating"),
    @JsonSubTypes.Type(value = SessionRecord.StateLost.class, name = "StateLost"),
    @JsonSubTypes.Type(value = SessionRecord.Active.class, name = "Active"),
    @JsonSubTypes.Type(value = SessionRecord.Discarding.class, name = "Discarding"),
    @JsonSubTypes.Type(value = SessionRecord.Discarded.class, name = "Discarded")
  })
  private interface Named {}

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .addMixIn(SessionRecord.class, Named.class)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();
  private static final ObjectWriter WRITER = JSON.writerFor(SessionRecord.class);
  private static final ObjectReader READER = JSON.readerFor(SessionRecord.class);

  private RecordCodec() {}

  /** Makes the first entry of a migration as quick as the later ones: some stand in a downtime. */
  static void warmUp() throws IOException {
    Progress progress = Progress.NONE;
    List<SessionRecord> records =
        List.of(
            new SessionRecord.SwitchingOver(0),
            new SessionRecord.EndAllowed(progress),
            new SessionRecord.Loaded(0, progress),
            new SessionRecord.Activating(),
            new SessionRecord.Active(progress),
            new SessionRecord.Committed(),
            new SessionRecord.Completed());
    for (SessionRecord record : records) {
      decode(encode(record));
    }
  }

  /** An entry's payload: one line of JSON in UTF-8. */
  public static byte[] encode(SessionRecord record) throws IOException {
    return (WRITER.writeValueAsString(record) + "\n").getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Reads what {@link #encode} wrote.
   *
   * @throws IOException where it is no entry that this version knows
   */
  public static SessionRecord decode(byte[] payload) throws IOException {
    try {
      SessionRecord record = READER.readValue(payload);
      if (record == null) {
        throw new IOException("not an entry that this version knows: null");
      }
      return record;
    } catch (JsonProcessingException problem) {
      throw new IOException(
          "not an entry that this version knows: " + problem.getOriginalMessage());
    }
  }
}
