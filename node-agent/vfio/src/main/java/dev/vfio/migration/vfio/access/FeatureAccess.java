package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;

/**
 * Access to a device that answers {@code VFIO_DEVICE_FEATURE}. Payloads are direct buffers in the
 * host's byte order; what stands before the payload ({@code argsz}, {@code flags}) is added here.
 */
public interface FeatureAccess extends DeviceAccess {

  /** {@code VFIO_DEVICE_FEATURE_GET}. */
  int GET = 1 << 16;

  /** {@code VFIO_DEVICE_FEATURE_SET}. */
  int SET = 1 << 17;

  /**
   * Asks whether the device has a feature in these directions.
   *
   * @param feature index
   * @param directions {@link #GET}, {@link #SET} or both
   * @return false where the kernel answers that it has not (ENOTTY, or EINVAL for a kernel that
   *     knows no such ioctl or direction)
   * @throws AccessException for every other errno
   */
  boolean probe(int feature, int directions) throws AccessException;

  /**
   * Gets a feature; the payload, from its position to its limit, goes in and comes back changed.
   * Its position stays.
   *
   * @throws AccessException REFUSED with the errno
   */
  void get(int feature, ByteBuffer payload) throws AccessException;

  /**
   * Sets a feature; the payload, from its position to its limit, goes in and comes back changed.
   * Its position stays.
   *
   * @throws AccessException REFUSED with the errno
   */
  void set(int feature, ByteBuffer payload) throws AccessException;

  /**
   * Takes over a descriptor that a payload brought back.
   *
   * @param descriptor its number, at least 0
   */
  StateFile stateFile(int descriptor);

  /**
   * The address of a direct buffer's index 0, for payloads that point to other memory. The buffer
   * must be kept reachable by the caller until the call with that payload returns.
   */
  long addressOf(ByteBuffer buffer);
}
