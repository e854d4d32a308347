package dev.vfio.migration.operator.inventory;

import dev.vfio.migration.operator.api.VfioNode;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import java.util.List;
import java.util.Optional;

/** The VfioNode objects in the API server. */
public interface NodeStore {

  /** All of them, as they are now or were a moment ago. */
  List<VfioNode> list();

  /** The object of that node as it is now; empty where there is none. */
  Optional<VfioNode> read(String node);

  /**
   * Creates the object of a node that has none; returns the existing one where there is one by now.
   */
  VfioNode create(String node);

  /**
   * Compare-and-set: writes {@code status} if the object still is as it was seen. Does nothing
   * where it has changed or was removed: the next update reads it again.
   *
   * @return whether it was written
   */
  boolean writeStatus(VfioNode seen, VfioNodeStatus status);

  /** Deletes the object if it still is as it was seen. */
  void delete(VfioNode seen);
}
