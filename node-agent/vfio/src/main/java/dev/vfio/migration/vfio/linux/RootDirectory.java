package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A directory that the administrator chose, and beneath which somebody who is not trusted names
 * files. What is opened here lies beneath the directory, on the same file system, and was reached
 * by no link of any kind, whatever is renamed while the kernel looks. Opening does not wait for a
 * file: neither for a FIFO's other end, nor for a driver, nor for a server of another file system,
 * which may never answer.
 *
 * <p>What is found is checked on the descriptor that is given ({@link FileStatus#of}), and that
 * descriptor is what is used afterwards: a second look by the name may find another file.
 *
 * <p>Safe for use by several threads until it is closed.
 *
 * <p>Source: {@code openat2(2)}, since Linux 5.6, with one number on every architecture.
 *
 * <pre>
 * struct open_how { __u64 flags; __u64 mode; __u64 resolve; };
 * </pre>
 */
public final class RootDirectory implements AutoCloseable {
  static final int OPENAT2 = 437;
  static final int HOW_FLAGS = 0;
  static final int HOW_MODE = 8;
  static final int HOW_RESOLVE = 16;
  static final int HOW_BYTES = 24;
  static final int RESOLVE_NO_XDEV = 0x01;
  static final int RESOLVE_NO_MAGICLINKS = 0x02;
  static final int RESOLVE_NO_SYMLINKS = 0x04;
  static final int RESOLVE_BENEATH = 0x08;

  private static final int RESOLVE =
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

  /** The kernel gives up where something is renamed in the middle of its look at a {@code ..}. */
  private static final int MAX_TRIES = 64;

  private final Path path;
  private final Descriptor directory;

  private RootDirectory(Path path, Descriptor directory) {
    this.path = path;
    this.directory = directory;
  }

  /**
   * Opens a directory whose path the administrator wrote: nobody else may be able to rename what is
   * above it.
   *
   * @throws ErrnoException ENOENT where there is none, ENOTDIR where it is something else, a link
   *     included
   */
  public static RootDirectory open(Path path) throws ErrnoException {
    int flags = LibC.O_PATH | directoryOnly() | GuardedFile.noFollow();
    return new RootDirectory(path, Descriptor.open(path, flags, path));
  }

  /** The path by which the directory was opened. */
  public Path path() {
    return path;
  }

  /** What this directory is: above all, who may put something in the place of what is in it. */
  public FileStatus status() throws ErrnoException {
    return FileStatus.of(directory);
  }

  /**
   * A directory beneath this one, to name files beneath that.
   *
   * @param beneath relative
   * @throws ErrnoException as {@link #handle} does; ENOTDIR where it is something else
   */
  public RootDirectory directory(Path beneath) throws ErrnoException {
    return new RootDirectory(path.resolve(beneath), openat2(beneath, directoryOnly()));
  }

  /**
   * A descriptor that only names what is there, of whatever type ({@code O_PATH}): nothing of a
   * driver or a file is touched by it. {@link OpenFile#path} makes a path of it that leads to just
   * this file, for example to connect to a socket.
   *
   * @param beneath relative
   * @throws ErrnoException ENOENT where there is nothing; ELOOP where a link is in the way; EXDEV
   *     where the path leads out of this directory or to another file system; EAGAIN where it is
   *     renamed all the time; ENOSYS before Linux 5.6
   */
  public Descriptor handle(Path beneath) throws ErrnoException {
    return openat2(beneath, 0);
  }

  /**
   * Opens a regular file. It is looked at before it is opened, through the same descriptor, because
   * opening a device can set it to work.
   *
   * @param beneath relative
   * @param writable whether for writing, too
   * @throws ErrnoException as {@link #handle} does; EAGAIN also where somebody holds a lease on it
   * @throws IOException where it is no regular file
   */
  public Descriptor open(Path beneath, boolean writable) throws IOException {
    try (Descriptor handle = handle(beneath)) {
      return reopen(handle, path.resolve(beneath), writable);
    }
  }

  /**
   * Opens the regular file that a handle names.
   *
   * @param shown its path in the message of a failure
   */
  public static Descriptor reopen(Descriptor handle, Path shown, boolean writable)
      throws IOException {
    FileStatus status = FileStatus.of(handle);
    if (!status.regularFile()) {
      throw new IOException(shown + " is " + status.kind() + ", not a regular file");
    }
    int access = writable ? LibC.O_RDWR : LibC.O_RDONLY;
    return Descriptor.open(OpenFile.path(handle), access | LibC.O_NONBLOCK | LibC.O_NOCTTY, shown);
  }

  /**
   * What is in this directory now, for its names only: what a name leads to may be another file a
   * moment later.
   *
   * @param glob that a name must match
   * @return to be closed; as many entries as somebody made there
   */
  public DirectoryStream<Path> list(String glob) throws IOException {
    return Files.newDirectoryStream(OpenFile.path(directory), glob);
  }

  private Descriptor openat2(Path beneath, int flags) throws ErrnoException {
    byte[] text = beneath.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer name = ByteBuffer.allocateDirect(text.length + 1);
    name.put(0, text);
    ByteBuffer how = NativeMemory.allocate(HOW_BYTES);
    how.putLong(HOW_FLAGS, LibC.O_PATH | LibC.O_CLOEXEC | flags).putLong(HOW_RESOLVE, RESOLVE);
    for (int tries = 1; ; tries++) {
      long answer =
          LibC.syscall(
              OPENAT2, directory.number(), LibC.addressOf(name), LibC.addressOf(how), HOW_BYTES, 0);
      int errno = LibC.lastErrno();
      Reference.reachabilityFence(name);
      Reference.reachabilityFence(how);
      if (answer >= 0) {
        return new Descriptor((int) answer);
      }
      boolean again = errno == Errno.EAGAIN.number() || errno == Errno.EINTR.number();
      if (!again || tries == MAX_TRIES) {
        throw refused(beneath, errno);
      }
    }
  }

  private ErrnoException refused(Path beneath, int errno) {
    String call = "openat2(" + path.resolve(beneath) + ")";
    if (errno == Errno.ELOOP.number()) {
      return new ErrnoException(call, errno, "a link is in the way");
    }
    if (errno == Errno.EXDEV.number()) {
      return new ErrnoException(
          call, errno, "it leads out of " + path + ", or another file system is mounted there");
    }
    if (errno == Errno.EAGAIN.number()) {
      return new ErrnoException(call, errno, "directories on its way are renamed all the time");
    }
    if (errno == Errno.ENOSYS.number() || errno == Errno.EPERM.number()) {
      return new ErrnoException(
          call, errno, "it needs Linux 5.6, and a seccomp profile that allows openat2");
    }
    return new ErrnoException(call, errno);
  }

  /** One of the few flags that differ between architectures. */
  static int directoryOnly() {
    return Platform.isIntel() ? 0x10000 : 0x4000;
  }

  @Override
  public void close() {
    directory.close();
  }
}
