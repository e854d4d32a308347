package dev.vfio.migration.sandbox.apiserver.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Keeps objects over a restart of the process: one line of JSON per change in {@code
 * objects.jsonl}, rewritten without history at every start. It survives the end of the process,
 * however sudden, but not that of the machine: nothing is forced to disk.
 *
 * <p>Not safe for several threads, nor for several processes on one directory; the store's lock
 * guards it.
 */
public final class Journal implements AutoCloseable {
  private static final String FILE = "objects.jsonl";

  private final BufferedWriter out;

  private Journal(BufferedWriter out) {
    this.out = out;
  }

  /**
   * What was kept.
   *
   * @param revision the highest revision, 0 if nothing was kept
   * @param objects by key
   * @param journal open for what comes
   */
  record Restored(long revision, Map<ObjectKey, ObjectNode> objects, Journal journal) {}

  /**
   * Reads the journal of a directory, and appends to it from then on.
   *
   * @throws IOException if the directory cannot be read or written, or holds something that is no
   *     journal
   */
  static Restored open(Path directory) throws IOException {
    Files.createDirectories(directory);
    Path file = directory.resolve(FILE);
    Map<ObjectKey, ObjectNode> objects = new TreeMap<>();
    long revision = Files.exists(file) ? replay(file, objects) : 0;
    Path rewritten = directory.resolve(FILE + ".new");
    try (BufferedWriter writer = Files.newBufferedWriter(rewritten)) {
      for (Map.Entry<ObjectKey, ObjectNode> entry : objects.entrySet()) {
        writer.write(line(revision, entry.getKey(), entry.getValue()));
      }
    }
    Files.move(
        rewritten, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    BufferedWriter out = Files.newBufferedWriter(file, StandardOpenOption.APPEND);
    return new Restored(revision, objects, new Journal(out));
  }

  /** Adds a change. */
  void append(Change change) {
    try {
      out.write(line(change.revision(), change.key(), change.deleted() ? null : change.object()));
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("the change of " + change.key() + " could not be kept", e);
    }
  }

  @Override
  public void close() throws IOException {
    out.close();
  }

  private static long replay(Path file, Map<ObjectKey, ObjectNode> objects) throws IOException {
    long revision = 0;
    List<String> lines = Files.readAllLines(file);
    for (int i = 0; i < lines.size(); i++) {
      JsonNode entry;
      try {
        entry = Json.parse(lines.get(i));
      } catch (IllegalArgumentException e) {
        if (i == lines.size() - 1) {
          // The process ended in the middle of this line: the client never had an answer.
          break;
        }
        throw new IOException("%s, line %d: %s".formatted(file, i + 1, e.getMessage()), e);
      }
      ObjectKey key =
          new ObjectKey(
              Json.textAt(entry, "storage"),
              Json.textAt(entry, "namespace"),
              Json.textAt(entry, "name"));
      if (entry.get("object") instanceof ObjectNode object) {
        objects.put(key, object);
      } else {
        objects.remove(key);
      }
      revision = Math.max(revision, entry.path("revision").asLong());
    }
    return revision;
  }

  private static String line(long revision, ObjectKey key, ObjectNode object) {
    ObjectNode entry = Json.object().put("revision", revision);
    entry.put("storage", key.storage()).put("namespace", key.namespace()).put("name", key.name());
    entry.set("object", object);
    return Json.text(entry) + "\n";
  }
}
