package dev.vfio.migration.sandbox.devices.unixsocket;

import com.sun.jna.LastErrorException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A listening stream socket at a path. One thread accepts; any thread closes. */
public final class UnixListener implements AutoCloseable {
  private static final int BACKLOG = 16;

  private final Path path;
  private final int fd;
  private volatile boolean closed;

  private UnixListener(Path path, int fd) {
    this.path = path;
    this.fd = fd;
  }

  /** Listens at {@code path}, which {@link SocketPath#claim} has made free. */
  public static UnixListener listen(Path path) throws IOException {
    byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
    // struct sockaddr_un { sa_family_t sun_family; char sun_path[108]; };
    ByteBuffer address =
        ByteBuffer.allocateDirect(Short.BYTES + SocketPath.LONGEST + 1)
            .order(ByteOrder.nativeOrder());
    address.putShort((short) LibC.AF_UNIX).put(name);
    int fd = LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
    try {
      LibC.bind(fd, LibC.addressOf(address), address.capacity());
      LibC.listen(fd, BACKLOG);
    } catch (LastErrorException e) {
      LibC.close(fd);
      throw new IOException("cannot listen at " + path + ": errno " + e.getErrorCode(), e);
    }
    return new UnixListener(path, fd);
  }

  /** The next connection; null once the listener is closed. */
  public UnixConnection accept() throws IOException {
    while (true) {
      try {
        return new UnixConnection(LibC.accept4(fd, 0, 0, LibC.SOCK_CLOEXEC));
      } catch (LastErrorException e) {
        if (closed) {
          LibC.close(fd);
          return null;
        }
        if (e.getErrorCode() != LibC.EINTR) {
          throw new IOException("accepting at " + path + ": errno " + e.getErrorCode(), e);
        }
      }
    }
  }

  /** Wakes the accepting thread, which then closes the socket, and removes the path. */
  @Override
  public void close() throws IOException {
    closed = true;
    LibC.shutdown(fd, LibC.SHUT_RDWR);
    Files.deleteIfExists(path);
  }
}
