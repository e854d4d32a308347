package dev.vfio.migration.operator.fake;

import dev.vfio.migration.operator.api.VfioNode;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import dev.vfio.migration.operator.inventory.NodeStore;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** VfioNode objects with resource versions and compare-and-set. Thread-safe. */
public final class FakeNodeStore implements NodeStore {
  private final KubernetesSerialization serialization = new KubernetesSerialization();
  private final Map<String, VfioNode> objects = new TreeMap<>();
  private long version = 100;
  private int lists;
  private int reads;
  private int creations;
  private int writes;
  private String hidden = "";
  private Optional<RuntimeException> trouble = Optional.empty();

  /** From now on every call fails with it; empty ends that. */
  public synchronized void fail(Optional<RuntimeException> with) {
    trouble = with;
  }

  /** How often all objects were listed. */
  public synchronized int lists() {
    return lists;
  }

  /** How often one object was asked for. */
  public synchronized int reads() {
    return reads;
  }

  /** How often an object was to be made, also where there was one. */
  public synchronized int creations() {
    return creations;
  }

  /** From now on whoever reads does not see that node's object, as if it were about to be made. */
  public synchronized void hideFromReaders(String node) {
    hidden = node;
  }

  /** How many statuses were written. */
  public synchronized int writes() {
    return writes;
  }

  public synchronized Optional<VfioNodeStatus> status(String node) {
    return Optional.ofNullable(objects.get(node)).map(VfioNode::getStatus);
  }

  /** Something that changes the object but not its status. */
  public synchronized void annotate(String node) {
    objects.get(node).getMetadata().setAnnotations(Map.of("touched", String.valueOf(version)));
    objects.get(node).getMetadata().setResourceVersion(String.valueOf(++version));
  }

  /** As a user deletes. */
  public synchronized void remove(String node) {
    objects.remove(node);
  }

  private void answer() {
    trouble.ifPresent(
        failure -> {
          throw failure;
        });
  }

  @Override
  public synchronized List<VfioNode> list() {
    lists++;
    answer();
    return objects.values().stream().map(this::copy).toList();
  }

  @Override
  public synchronized Optional<VfioNode> read(String node) {
    reads++;
    answer();
    return Optional.ofNullable(objects.get(node))
        .filter(object -> !node.equals(hidden))
        .map(this::copy);
  }

  @Override
  public synchronized VfioNode create(String node) {
    creations++;
    answer();
    VfioNode object =
        objects.computeIfAbsent(
            node,
            name -> {
              VfioNode made = new VfioNode();
              made.getMetadata().setName(name);
              made.getMetadata().setResourceVersion(String.valueOf(++version));
              return made;
            });
    return copy(object);
  }

  @Override
  public synchronized boolean writeStatus(VfioNode seen, VfioNodeStatus status) {
    answer();
    VfioNode now = objects.get(seen.getMetadata().getName());
    if (now == null || !sameVersion(seen, now)) {
      return false;
    }
    // Through JSON, as everything that is stored.
    VfioNode through = new VfioNode();
    through.setStatus(status);
    now.setStatus(copy(through).getStatus());
    now.getMetadata().setResourceVersion(String.valueOf(++version));
    writes++;
    return true;
  }

  @Override
  public synchronized void delete(VfioNode seen) {
    answer();
    VfioNode now = objects.get(seen.getMetadata().getName());
    if (now != null && sameVersion(seen, now)) {
      objects.remove(seen.getMetadata().getName());
    }
  }

  private static boolean sameVersion(VfioNode seen, VfioNode now) {
    return now.getMetadata().getResourceVersion().equals(seen.getMetadata().getResourceVersion());
  }

  private VfioNode copy(VfioNode object) {
    return serialization.unmarshal(serialization.asJson(object), VfioNode.class);
  }
}
