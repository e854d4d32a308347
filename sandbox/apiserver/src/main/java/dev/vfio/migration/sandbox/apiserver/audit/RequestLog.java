package dev.vfio.migration.sandbox.apiserver.audit;

import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** Who wrote what, successful or not: the last 10000 writes. Safe for any thread. */
public final class RequestLog {
  private static final int LIMIT = 10_000;

  private final Clock clock;
  private final Deque<Entry> entries = new ArrayDeque<>();

  public RequestLog(Clock clock) {
    this.clock = clock;
  }

  /**
   * One write.
   *
   * @param time when it was answered
   * @param method POST, PUT, PATCH or DELETE
   * @param mediaType of the body; tells the kinds of patch apart
   * @param apiVersion for example {@code coordination.k8s.io/v1}
   * @param resource plural name, for example {@code leases}
   * @param subresource for example {@code status}, empty for the object itself
   * @param namespace empty for cluster-wide objects
   * @param name empty for creations and deletions of collections
   * @param manager field manager as given, else the program's name
   * @param userAgent as the client sent it
   * @param dryRun whether the client only asked what would happen
   * @param code HTTP status code of the answer
   */
  public record Entry(
      Instant time,
      String method,
      String mediaType,
      String apiVersion,
      String resource,
      String subresource,
      String namespace,
      String name,
      String manager,
      String userAgent,
      boolean dryRun,
      int code) {

    /** Whether it changed something, or would have if anything had been different. */
    public boolean succeeded() {
      return code < 300 && !dryRun;
    }
  }

  /** The writes in the order in which they were answered. */
  public synchronized List<Entry> entries() {
    return List.copyOf(entries);
  }

  /** The writes to one kind. */
  public List<Entry> entries(String resource) {
    return entries().stream().filter(entry -> entry.resource().equals(resource)).toList();
  }

  /** Forgets what was written so far. */
  public synchronized void clear() {
    entries.clear();
  }

  /** Called after each write. */
  public synchronized void record(
      ApiRequest request,
      ResourceType type,
      String namespace,
      String name,
      String subresource,
      int code) {
    entries.addLast(
        new Entry(
            clock.instant(),
            request.method(),
            request.header("Content-Type"),
            type.apiVersion(),
            type.plural(),
            subresource,
            namespace,
            name,
            request.parameter("fieldManager").orElse(request.program()),
            request.header("User-Agent"),
            request.parameter("dryRun").isPresent(),
            code));
    if (entries.size() > LIMIT) {
      entries.removeFirst();
    }
  }
}
