package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Set;

/**
 * The listening end of a Unix stream socket. Its name is there while it listens, to {@link
 * #close()}; a name that an earlier process left is taken over.
 */
public final class UnixListener implements AutoCloseable {
  private static final int BACKLOG = 8;

  private final Path path;
  private final Descriptor socket;

  private UnixListener(Path path, Descriptor socket) {
    this.path = path;
    this.socket = socket;
  }

  /**
   * Listens. The name is there at once with its permissions, and whatever others make of names in
   * its folder meanwhile, nothing but the socket gets those.
   *
   * @param path shorter than 108 bytes; others may write to its folder
   * @param birthplace where the socket is until it listens: on the same file system, shorter than
   *     108 bytes, in a folder that nobody else may write to
   * @param permissions of the socket: whoever may write may connect
   * @throws ErrnoException as {@code bind} has it; ENAMETOOLONG for a path that is too long
   * @throws IOException where something else than a socket has that name
   */
  public static UnixListener listen(
      Path path, Path birthplace, Set<PosixFilePermission> permissions) throws IOException {
    SocketLayout.pathBytes(path, "bind(" + path + ")");
    removeLeftOver(path);
    removeLeftOver(birthplace);
    int fd = LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
    if (fd < 0) {
      throw new ErrnoException("socket(AF_UNIX)", LibC.lastErrno());
    }
    UnixListener listener = new UnixListener(path, new Descriptor(fd));
    try {
      listener.bind(birthplace);
      Files.setPosixFilePermissions(birthplace, permissions);
      if (LibC.listen(fd, BACKLOG) < 0) {
        throw new ErrnoException("listen(" + path + ")", LibC.lastErrno());
      }
      Files.move(birthplace, path, StandardCopyOption.ATOMIC_MOVE);
      return listener;
    } catch (Throwable failure) {
      listener.socket.close();
      throw failure;
    }
  }

  private static void removeLeftOver(Path path) throws IOException {
    if (Files.notExists(path, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    boolean other =
        Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)
            || Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
            || Files.isSymbolicLink(path);
    if (other) {
      throw new IOException(path + " is there already and is no socket; remove it");
    }
    Files.deleteIfExists(path);
  }

  private void bind(Path birthplace) throws ErrnoException {
    byte[] name = SocketLayout.pathBytes(birthplace, "bind(" + birthplace + ")");
    ByteBuffer address = NativeMemory.allocate(SocketLayout.ADDRESS_BYTES);
    address.putShort(SocketLayout.ADDRESS_FAMILY, (short) LibC.AF_UNIX);
    address.put(SocketLayout.ADDRESS_PATH, name);
    int answer = LibC.bind(socket.number(), LibC.addressOf(address), SocketLayout.ADDRESS_BYTES);
    int errno = LibC.lastErrno();
    Reference.reachabilityFence(address);
    if (answer < 0) {
      throw new ErrnoException("bind(" + birthplace + ")", errno);
    }
  }

  public Path path() {
    return path;
  }

  /**
   * Takes the next client; waits where there is none.
   *
   * @param timeout for every later call on the client's stream
   * @throws ErrnoException as {@code accept4} has it
   */
  public UnixStream accept(Duration timeout) throws ErrnoException {
    long fd =
        SystemCall.retried(
            "accept4 at " + path, () -> LibC.accept4(socket.number(), 0, 0, LibC.SOCK_CLOEXEC));
    UnixStream stream = new UnixStream(new Descriptor((int) fd));
    try {
      stream.timeout(timeout);
      return stream;
    } catch (ErrnoException failure) {
      stream.close();
      throw failure;
    }
  }

  Descriptor descriptor() {
    return socket;
  }

  /** Takes the name away and stops listening. Clients that were accepted stay. */
  @Override
  public void close() {
    try {
      Files.deleteIfExists(path);
    } catch (IOException leftOver) {
      // A name that nobody listens at: the next listener takes it over.
      System.getLogger(UnixListener.class.getName())
          .log(System.Logger.Level.WARNING, path + " could not be removed: " + leftOver);
    } finally {
      socket.close();
    }
  }
}
