package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import java.util.Optional;

/** The DeviceMigration objects in the API server. */
public interface MigrationStore {

  /** The object as it is now; empty where there is none. */
  Optional<DeviceMigration> read(String namespace, String name);

  /**
   * Compare-and-set: writes {@code status} if the object still is at {@code seen}'s resource
   * version.
   *
   * @return the object as written
   * @throws OutdatedException when it has changed since, or was removed; nothing was written
   * @throws ContentRefusedException when the API server does not take what {@code status} says;
   *     nothing was written, and trying again does not help
   */
  DeviceMigration writeStatus(DeviceMigration seen, DeviceMigrationStatus status)
      throws OutdatedException, ContentRefusedException;

  /** Deletes the object if it has not changed since it was read. */
  void delete(DeviceMigration seen);

  /** The API server does not take the content: it breaks a rule of the CRD, or is too large. */
  final class ContentRefusedException extends Exception {
    private static final long serialVersionUID = 1L;

    public ContentRefusedException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** The object has changed since it was read. */
  final class OutdatedException extends Exception {
    private static final long serialVersionUID = 1L;

    public OutdatedException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
