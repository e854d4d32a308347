package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import java.util.Map;

/**
 * How many replicas of the operator there are, and how long a leader that died keeps the lease.
 *
 * @param count 1 or 2
 * @param leaseSeconds 3 or more
 */
record Operators(int count, int leaseSeconds) {
  static final int MAX_COUNT = 2;
  static final int SHORTEST_LEASE = 3;

  /** One replica, and a lease that is short so that a restart costs little. */
  static final Operators ONE = new Operators(1, SHORTEST_LEASE);

  private static final int MILLIS = 1000;

  static Operators checked(int count, int leaseSeconds) throws WrongOptionException {
    if (count < 1 || count > MAX_COUNT) {
      throw new WrongOptionException("--operators takes 1 or 2");
    }
    if (leaseSeconds < SHORTEST_LEASE) {
      throw new WrongOptionException("--lease takes seconds, from " + SHORTEST_LEASE);
    }
    return new Operators(count, leaseSeconds);
  }

  /** The operator's settings for it, in the proportions of its defaults. */
  Map<String, String> settings() {
    return Map.of(
        "OPERATOR_LEASE_DURATION", leaseSeconds + "s",
        "OPERATOR_LEASE_RENEW_DEADLINE", leaseSeconds * MILLIS * 2 / 3 + "ms",
        "OPERATOR_LEASE_RETRY_PERIOD", leaseSeconds * MILLIS / 6 + "ms");
  }
}
