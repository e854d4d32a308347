package dev.vfio.migration.agent.journal.file;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DatabindContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.annotation.JsonTypeIdResolver;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.jsontype.impl.TypeIdResolverBase;
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

  @JsonTypeInfo(use = JsonTypeInfo.Id.CUSTOM, property = "entry")
  @JsonTypeIdResolver(NameResolver.class)
  private interface Named {}

  /** Names an entry by {@link EntryName}. */
  static final class NameResolver extends TypeIdResolverBase {
    @Override
    public String idFromValue(Object entry) {
      return EntryName.of((SessionRecord) entry).onDisk();
    }

    @Override
    public String idFromValueAndType(Object entry, Class<?> type) {
      return idFromValue(entry);
    }

    @Override
    public JavaType typeFromId(DatabindContext context, String name) throws IOException {
      EntryName known = EntryName.onDisk(name);
      return known == null ? null : context.constructType(known.type());
    }

    @Override
    public JsonTypeInfo.Id getMechanism() {
      return JsonTypeInfo.Id.CUSTOM;
    }
  }

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .addMixIn(SessionRecord.class, Named.class)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();
  private static final ObjectWriter WRITER = JSON.writerFor(SessionRecord.class);
  private static final ObjectReader READER = JSON.readerFor(SessionRecord.class);

  private RecordCodec() {}

  /**
   * Encodes and decodes each kind once, so that the first entry of a migration takes no longer than
   * later ones: some are written while the workload is paused.
   */
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
