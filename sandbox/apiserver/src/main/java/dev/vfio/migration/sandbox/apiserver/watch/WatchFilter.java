package dev.vfio.migration.sandbox.apiserver.watch;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** Which objects a watch shows, and how. Safe for any thread. */
public interface WatchFilter {
  /** Whether the watch is about this object. */
  boolean matches(ObjectNode object);

  /**
   * The object in the shape that the client asked for.
   *
   * @param first whether it is the first one of this watch
   */
  ObjectNode present(ObjectNode object, boolean first);

  /**
   * The object of a bookmark.
   *
   * @param revision up to which the client has seen everything
   */
  ObjectNode bookmark(long revision);
}
