package dev.vfio.migration.vfio.user;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/** Devices' folders for tests, whatever the umask is. */
public final class DeviceFolder {
  private DeviceFolder() {}

  /** A folder that others than its owner may only pass through. */
  public static Path make(Path directory, String name) throws IOException {
    return Files.createDirectory(
        directory.resolve(name),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
  }
}
