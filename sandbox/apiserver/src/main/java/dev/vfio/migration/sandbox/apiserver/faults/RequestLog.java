package dev.vfio.migration.sandbox.apiserver.faults;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** The last writes with their writers, whether they succeeded or not. Safe for any thread. */
public final class RequestLog {
  private static final int LIMIT = 10_000;

  private final Deque<Entry> entries = new ArrayDeque<>();

  /**
   * One write.
   *
   * @param method POST, PUT, PATCH or DELETE
   * @param resource plural name, for example {@code leases}
   * @param subresource for example {@code status}, empty for the object itself
   * @param namespace empty for cluster-wide objects
   * @param name empty for creations and deletions of collections
   * @param manager field manager as given, else the program's name
   * @param code HTTP status code of the answer
   */
  public record Entry(
      String method,
      String resource,
      String subresource,
      String namespace,
      String name,
      String manager,
      int code) {}

  /** The writes to one kind, in the order in which they were answered. */
  public synchronized List<Entry> entries(String resource) {
    return entries.stream().filter(entry -> entry.resource().equals(resource)).toList();
  }

  /** Forgets what was written so far. */
  public synchronized void clear() {
    entries.clear();
  }

  /** Called after each write. */
  public synchronized void record(Entry entry) {
    entries.addLast(entry);
    if (entries.size() > LIMIT) {
      entries.removeFirst();
    }
  }
}
