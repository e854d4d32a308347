package dev.vfio.migration.vfio.workload;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.FileStatus;
import dev.vfio.migration.vfio.linux.RootDirectory;
import dev.vfio.migration.vfio.workload.DeclaredWindows.UnusableException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The directories beneath which the files behind a workload's windows lie. The agent may read and
 * write any file of the node and the workload may not, so that a file is taken only where it is
 * certain to be the workload's: it is a regular file in a folder that has the name of the
 * workload's device, beneath one of the directories, on the same file system, reached through no
 * link; it has that one name; and it belongs to the user that the workload runs as.
 *
 * <p>The owner alone does not say whose a file is, root least of all: the workloads of two tenants,
 * in containers of theirs, may well run as one user. The folder does, because only the workload of
 * that device has it in its container. For no user is there an exception.
 *
 * @param directories absolute; chosen by the administrator; one that has the device's name itself
 *     is that folder
 * @param device name of the workload's device
 */
public record WindowDirectories(List<Path> directories, String device) {
  public WindowDirectories {
    directories = List.copyOf(directories);
  }

  /**
   * A descriptor that names the window's file ({@code O_PATH}), checked. It is what the file is
   * opened by later: what the path leads to by then does not matter.
   *
   * @param user the user id of the workload's process
   */
  Descriptor handle(WindowShape window, Path file, int user) throws UnusableException {
    Descriptor handle = null;
    boolean usable = false;
    try {
      handle = handle(file);
      requireUsable(FileStatus.of(handle), window.size(), user);
      usable = true;
      return handle;
    } catch (ErrnoException failure) {
      throw unusable(window, file, failure.getMessage());
    } catch (UnusableException problem) {
      throw unusable(window, file, problem.getMessage());
    } finally {
      if (!usable && handle != null) {
        handle.close();
      }
    }
  }

  private Descriptor handle(Path file) throws UnusableException, ErrnoException {
    Path directory =
        directories.stream()
            .filter(file::startsWith)
            .max(Comparator.comparingInt(Path::getNameCount))
            .orElseThrow(
                () ->
                    new UnusableException(
                        String.format(
                            "it lies in none of the directories for windows on this node, which are"
                                + " %s; put it into the folder %s of one of them, or let the"
                                + " administrator add a directory (agent.memory-directories)",
                            directories.stream()
                                .map(Path::toString)
                                .collect(Collectors.joining(", ")),
                            device)));
    Path beneath = below(file, directory.getNameCount());
    try (RootDirectory root = RootDirectory.open(directory)) {
      if (directory.endsWith(device)) {
        return root.handle(beneath);
      }
      if (beneath.getNameCount() < 2 || !beneath.startsWith(device)) {
        throw new UnusableException(
            "it is in no folder with the name of the workload's device, by which the files of"
                + " several workloads are told apart; put it into "
                + directory.resolve(device));
      }
      try (RootDirectory own = root.directory(Path.of(device))) {
        return own.handle(below(beneath, 1));
      }
    }
  }

  /** Every name as it was said, {@code ..} too, which is for the kernel to follow or refuse. */
  private static Path below(Path path, int names) {
    return path.getNameCount() == names ? Path.of("") : path.subpath(names, path.getNameCount());
  }

  private static void requireUsable(FileStatus file, long size, int user) throws UnusableException {
    if (!file.regularFile()) {
      throw new UnusableException("it is " + file.kind() + ", not a regular file");
    }
    if (file.owner() != user) {
      throw new UnusableException(
          String.format(
              "it belongs to user %s and the workload runs as user %s; let the workload's user own"
                  + " it",
              Integer.toUnsignedString(file.owner()), Integer.toUnsignedString(user)));
    }
    if (file.links() != 1) {
      throw new UnusableException(
          "it has "
              + file.links()
              + " names (hard links), so that it may be somebody else's; let it have this one");
    }
    if (file.givesRights()) {
      throw new UnusableException("it is set-user-ID or set-group-ID; take that from it");
    }
    if (file.size() < size) {
      throw new UnusableException("it has " + file.size() + " bytes and the window has " + size);
    }
  }

  private static UnusableException unusable(WindowShape window, Path file, String why) {
    return new UnusableException("window " + window.name() + ": file " + file + ": " + why);
  }
}
