package dev.vfio.migration.agent.machine;

/**
 * What a session is known by.
 *
 * @param uid metadata.uid of the DeviceMigration; letters, digits and dashes, 1 to 64
 * @param attempt counts from 1
 */
public record SessionKey(String uid, int attempt) {
  public SessionKey {
    if (uid == null || !uid.matches("[A-Za-z0-9][-A-Za-z0-9]{0,63}")) {
      throw new IllegalArgumentException(
          "a migration's uid has 1 to 64 letters, digits and dashes; this is not one: " + uid);
    }
    if (attempt < 1) {
      throw new IllegalArgumentException("attempts count from 1, not from " + attempt);
    }
  }

  /** "uid/attempt", as logs, workloads and the contract's {@code claimed_by} have it. */
  @Override
  public String toString() {
    return uid + "/" + attempt;
  }
}
