package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.FileStatus;
import dev.vfio.migration.vfio.linux.RootDirectory;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.workload.WorkloadSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;

/**
 * The sockets of this node's vfio-user devices: {@code DIRECTORY/NAME/device.sock} and {@code
 * DIRECTORY/NAME/workload.sock}.
 *
 * <p>The agent may connect to every socket, and a tenant may put any file into the folder of its
 * device. So that no tenant leads the agent to another tenant's socket, one user id owns all of it:
 * the folder, both sockets in it and the two processes that serve them. Root is a user like any
 * other. The directory belongs to root or to the agent's own user, and nobody else may write to it.
 * Names are resolved once and through no link, and the very file that was checked is connected to.
 *
 * <p>Safe for use by several threads.
 */
public final class DeviceSockets {
  /** Served by the device's process. */
  static final String DEVICE = "device.sock";

  /** Served by the workload that uses the device. */
  static final String WORKLOAD = "workload.sock";

  private static final String ONE_USER =
      "let one user own the device's folder and serve both device.sock and workload.sock in it.";

  private static final int ROOT = 0;
  private static final Path SELF = Path.of("/proc/self");
  private static final int PERMISSIONS = 07777;
  private static final int WRITABLE_BY_OTHERS = 022;

  private final Path directory;

  /**
   * A socket is not certain to be its device's. Its server was asked nothing. The message names the
   * socket, the users and what to do.
   */
  public static final class UntrustedException extends IOException {
    private static final long serialVersionUID = 1L;

    private UntrustedException(Path socket, String why) {
      super("the socket " + socket + " is not used: " + why);
    }
  }

  /**
   * @param directory of the devices' folders; it need not exist yet
   */
  public DeviceSockets(Path directory) {
    this.directory = directory;
  }

  /** The path of a socket of the device of that name; for messages. */
  Path path(String name, String socket) {
    return directory.resolve(name).resolve(socket);
  }

  /** Where the workload that uses a device is reached. It need not be there. */
  public WorkloadSocket.Endpoint workload(String name) {
    return new WorkloadSocket.Endpoint() {
      @Override
      public String device() {
        return name;
      }

      @Override
      public Path path() {
        return DeviceSockets.this.path(name, WORKLOAD);
      }

      @Override
      public UnixStream connect(Duration timeout) throws IOException {
        return DeviceSockets.this.connect(name, WORKLOAD, timeout);
      }
    };
  }

  /**
   * Whether a device, or something in its place, exists: a folder with a {@code device.sock} of
   * whatever kind, or a link instead of the folder.
   *
   * @param name of the folder, relative
   */
  boolean exists(Path name) {
    try (RootDirectory root = RootDirectory.open(directory);
        Descriptor found = root.handle(name.resolve(DEVICE))) {
      return found.isOpen();
    } catch (ErrnoException failure) {
      return !failure.is(Errno.ENOENT) && !failure.is(Errno.ENOTDIR);
    }
  }

  /**
   * Connects, once it is certain that the socket is its device's.
   *
   * @param name of the device
   * @param socket {@link #DEVICE} or {@link #WORKLOAD}
   * @param timeout as {@link UnixStream#connect(Path, Duration)} has it
   * @throws ErrnoException ENOENT where there is no such socket, ECONNREFUSED where nobody listens
   * @throws UntrustedException where it is somebody else's, or could be
   */
  UnixStream connect(String name, String socket, Duration timeout) throws IOException {
    Path path = path(name, socket);
    try (RootDirectory root = root(path)) {
      requireOwn(root, path);
      try (RootDirectory folder = root.directory(Path.of(name));
          Descriptor file = folder.handle(Path.of(socket))) {
        int user = ownerOf(folder, path);
        requireSocket(FileStatus.of(file), user, path);
        return connect(file, user, path, timeout);
      } catch (ErrnoException failure) {
        throw explained(failure, path);
      }
    }
  }

  private RootDirectory root(Path socket) throws IOException {
    try {
      return RootDirectory.open(directory);
    } catch (ErrnoException failure) {
      throw failure.is(Errno.ENOTDIR)
          ? new UntrustedException(
              socket,
              directory
                  + " is a link, or no directory. Nothing was asked of anybody; configure the"
                  + " directory's own path.")
          : failure;
    }
  }

  private static void requireOwn(RootDirectory root, Path socket) throws IOException {
    FileStatus status = root.status();
    if (writableByOthers(status)
        || status.owner() != ROOT && !Files.getAttribute(SELF, "unix:uid").equals(status.owner())) {
      throw new UntrustedException(
          socket,
          "others than root and the agent may write to "
              + root.path()
              + shown(status)
              + " and could put another device's folder in the place of this one's. Nothing was"
              + " asked of anybody; give it to root with mode 0755.");
    }
  }

  /** The user that everything of the device must belong to. */
  private static int ownerOf(RootDirectory folder, Path socket) throws IOException {
    FileStatus status = folder.status();
    if (writableByOthers(status)) {
      throw new UntrustedException(
          socket,
          "others than its owner may write to "
              + folder.path()
              + shown(status)
              + " and could put another device's socket there. Nothing was asked of anybody; give"
              + " the folder to the user of the device, with mode 0711 or less.");
    }
    return status.owner();
  }

  private static void requireSocket(FileStatus file, int user, Path socket)
      throws UntrustedException {
    if (!file.socket()) {
      throw new UntrustedException(
          socket, "it is " + file.kind() + ". Nothing was asked of anybody; remove it.");
    }
    if (file.owner() != user) {
      throw new UntrustedException(
          socket,
          String.format(
              "it belongs to user %s and the folder it is in to user %s. Nothing was asked of"
                  + " anybody; %s",
              user(file.owner()), user(user), ONE_USER));
    }
  }

  private static UnixStream connect(Descriptor file, int user, Path socket, Duration timeout)
      throws IOException {
    UnixStream stream = UnixStream.connect(file, socket, timeout);
    try {
      int served = stream.peerUser();
      if (served != user) {
        throw new UntrustedException(
            socket,
            String.format(
                "it is served by a process of user %s and belongs, with its folder, to user %s."
                    + " Nothing was asked of that process; %s",
                user(served), user(user), ONE_USER));
      }
      return stream;
    } catch (IOException | RuntimeException failure) {
      stream.close();
      throw failure;
    }
  }

  private static IOException explained(ErrnoException failure, Path socket) {
    return failure.is(Errno.ELOOP) || failure.is(Errno.EXDEV)
        ? new UntrustedException(
            socket,
            failure.getMessage()
                + ". Nothing was asked of anybody; make "
                + socket.getParent()
                + " a folder of its own, and let the socket be made in it.")
        : failure;
  }

  private static boolean writableByOthers(FileStatus status) {
    return (status.mode() & WRITABLE_BY_OTHERS) != 0;
  }

  private static String shown(FileStatus status) {
    return String.format(
        Locale.ROOT, " (user %s, mode %04o)", user(status.owner()), status.mode() & PERMISSIONS);
  }

  private static String user(int id) {
    return Integer.toUnsignedString(id);
  }
}
