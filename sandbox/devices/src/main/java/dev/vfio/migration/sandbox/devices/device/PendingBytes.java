package dev.vfio.migration.sandbox.devices.device;

/**
 * What is still to be handed out, in bytes, by the text's three classes. Immutable.
 *
 * @param precopyOnly must move before the destination starts
 * @param compatible may move at any time
 * @param postcopyOnly moves only once the device is stopped
 */
public record PendingBytes(long precopyOnly, long compatible, long postcopyOnly) {
  public static final PendingBytes NOTHING = new PendingBytes(0, 0, 0);

  public long total() {
    return precopyOnly + compatible + postcopyOnly;
  }
}
