package dev.vfio.migration.sandbox.devices.unixsocket;

import com.sun.jna.LastErrorException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A listening stream socket at a path. One thread accepts; any thread closes. */
public final class ListeningSocket implements AutoCloseable {
  private static final int BACKLOG = 16;

  private final Path path;
  private final int fd;
  private volatile boolean closed;

  private ListeningSocket(Path path, int fd) {
    this.path = path;
    this.fd = fd;
  }

  /** Listens at {@code path}, which {@link SocketPath#claim} has made free. */
  public static ListeningSocket listen(Path path) throws IOException {
    byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
    // struct sockaddr_un { sa_family_t sun_family; char sun_path[108]; };
    ByteBuffer address =
        ByteBuffer.allocateDirect(Short.BYTES + SocketPath.MAX_BYTES + 1)
            .order(ByteOrder.nativeOrder());
    address.putShort((short) DescriptorCalls.AF_UNIX).put(name);
    int fd =
        DescriptorCalls.socket(
            DescriptorCalls.AF_UNIX, DescriptorCalls.SOCK_STREAM | DescriptorCalls.SOCK_CLOEXEC, 0);
    try {
      DescriptorCalls.bind(fd, DescriptorCalls.addressOf(address), address.capacity());
      DescriptorCalls.listen(fd, BACKLOG);
    } catch (LastErrorException e) {
      DescriptorCalls.close(fd);
      throw new IOException("cannot listen at " + path + ": errno " + e.getErrorCode(), e);
    }
    return new ListeningSocket(path, fd);
  }

  /** The next connection; null once the listener is closed. */
  public UnixConnection accept() throws IOException {
    while (true) {
      try {
        return new UnixConnection(DescriptorCalls.accept4(fd, 0, 0, DescriptorCalls.SOCK_CLOEXEC));
      } catch (LastErrorException e) {
        if (closed) {
          DescriptorCalls.close(fd);
          return null;
        }
        if (e.getErrorCode() != DescriptorCalls.EINTR) {
          throw new IOException("accepting at " + path + ": errno " + e.getErrorCode(), e);
        }
      }
    }
  }

  /** Wakes the accepting thread, which then closes the socket, and removes the path. */
  @Override
  public void close() throws IOException {
    closed = true;
    DescriptorCalls.shutdown(fd, DescriptorCalls.SHUT_RDWR);
    Files.deleteIfExists(path);
  }
}
