package dev.vfio.migration.connections;

import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Connections that have not said who they are, bounded for each address and in all. A new one is
 * always taken: where there is no room, the oldest one of its own address goes, and where only all
 * of them together are too many, the oldest one of the address that has most. So whoever holds many
 * idle connections keeps nobody out, and pushes out only their own. Each step takes logarithmic
 * time at most. Thread-safe.
 *
 * @param <C> a connection, compared by {@code equals}
 */
final class UnknownConnections<C> {
  private final int most;
  private final int mostPerAddress;
  private final Map<C, AddressBlock> addresses = new HashMap<>();
  // Each oldest first.
  private final Map<AddressBlock, Set<C>> byAddress = new LinkedHashMap<>();
  private final TreeMap<Integer, Set<AddressBlock>> byCount = new TreeMap<>();

  /**
   * @param most in all, at least 1
   * @param mostPerAddress of one address block, at least 1
   */
  UnknownConnections(int most, int mostPerAddress) {
    this.most = most;
    this.mostPerAddress = mostPerAddress;
  }

  /**
   * Takes a connection in.
   *
   * @return the connection that must be closed for it and is counted no more; null where there is
   *     room
   */
  synchronized C add(C connection, AddressBlock address) {
    addresses.put(connection, address);
    Set<C> own = byAddress.computeIfAbsent(address, unused -> new LinkedHashSet<>());
    own.add(connection);
    recount(address, own.size() - 1, own.size());
    if (own.size() > mostPerAddress) {
      return dropOldest(own);
    }
    if (addresses.size() > most) {
      AddressBlock crowded = first(byCount.lastEntry().getValue());
      return dropOldest(byAddress.get(crowded));
    }
    return null;
  }

  private C dropOldest(Set<C> connections) {
    C oldest = first(connections);
    remove(oldest);
    return oldest;
  }

  /** Whether it was counted until now. */
  synchronized boolean remove(C connection) {
    AddressBlock address = addresses.remove(connection);
    if (address == null) {
      return false;
    }
    Set<C> own = byAddress.get(address);
    own.remove(connection);
    recount(address, own.size() + 1, own.size());
    if (own.isEmpty()) {
      byAddress.remove(address);
    }
    return true;
  }

  private void recount(AddressBlock address, int before, int now) {
    if (before > 0) {
      Set<AddressBlock> equals = byCount.get(before);
      equals.remove(address);
      if (equals.isEmpty()) {
        byCount.remove(before);
      }
    }
    if (now > 0) {
      byCount.computeIfAbsent(now, unused -> new LinkedHashSet<>()).add(address);
    }
  }

  private static <T> T first(Set<T> set) {
    Iterator<T> each = set.iterator();
    return each.next();
  }

  synchronized int size() {
    return addresses.size();
  }
}
