package dev.vfio.migration.vfio.transfer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * The devices' folders. Workloads may write to their own and do there what they like; the directory
 * of them all is the agent's, so that no folder is anything else than what the agent made.
 */
final class DeviceFolders {
  /** No device's name, and out of everybody's reach. */
  private static final String BIRTHPLACE = ".new";

  private static final int ROOT = 0;
  private static final Path SELF = Path.of("/proc/self");
  private static final String USER = "unix:uid";

  private final Path directory;

  DeviceFolders(Path directory) {
    this.directory = directory;
  }

  /** Makes the directory of all folders where it is missing. */
  static Path root(Path directory) throws IOException {
    if (Files.notExists(directory)) {
      Files.createDirectories(directory);
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    return directory;
  }

  /**
   * The folder of a device, made where it is missing.
   *
   * @throws IOException where it, or the directory of all of them, is not to be trusted
   */
  Path make(String device) throws IOException {
    requireOwn();
    Path folder = directory.resolve(device);
    if (Files.notExists(folder, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectory(folder);
      // Whoever may wait must get through; what else is in there is nobody's business.
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx--x--x"));
    }
    requireFolder(folder);
    return folder;
  }

  /** Where a socket is made before it is put into that device's folder. */
  Path birthplace(String device) throws IOException {
    Path place = directory.resolve(BIRTHPLACE);
    Set<PosixFilePermission> ownerOnly = PosixFilePermissions.fromString("rwx------");
    if (Files.notExists(place, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectory(place, PosixFilePermissions.asFileAttribute(ownerOnly));
    }
    requireFolder(place);
    Files.setPosixFilePermissions(place, ownerOnly);
    return place.resolve(device);
  }

  private static void requireFolder(Path folder) throws IOException {
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      throw new IOException(folder + " is there already and is no folder; remove it");
    }
  }

  private void requireOwn() throws IOException {
    Object owner = Files.getAttribute(directory, USER);
    Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(directory);
    if (permissions.contains(PosixFilePermission.OTHERS_WRITE)
        || permissions.contains(PosixFilePermission.GROUP_WRITE)
        || !owner.equals(ROOT) && !owner.equals(Files.getAttribute(SELF, USER))) {
      throw new IOException(
          "others than the agent may write to "
              + directory
              + " (user "
              + owner
              + ", "
              + PosixFilePermissions.toString(permissions)
              + ") and could put something else in the place of a device's folder. Nothing was put"
              + " there; let it belong to the agent's user with mode 0755.");
    }
  }
}
