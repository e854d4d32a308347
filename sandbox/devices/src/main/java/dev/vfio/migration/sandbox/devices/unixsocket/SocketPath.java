package dev.vfio.migration.sandbox.devices.unixsocket;

import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where a Unix socket may lie. */
public final class SocketPath {
  /** The longest path of a Unix socket on Linux, in bytes, without the final NUL. */
  public static final int MAX_BYTES = 107;

  private SocketPath() {}

  /**
   * Makes a path free to listen at: a socket that nobody serves any more is removed.
   *
   * @throws IOException if the path is too long, is no socket, or is served by someone
   */
  public static Path claim(Path path) throws IOException {
    int length = path.toString().getBytes(StandardCharsets.UTF_8).length;
    if (length > MAX_BYTES) {
      throw new IOException(
          "the socket path " + path + " has " + length + " bytes; Linux allows " + MAX_BYTES);
    }
    if (!Files.exists(path)) {
      return path;
    }
    if (served(path)) {
      throw new IOException("another process serves " + path + "; stop it first");
    }
    Files.delete(path);
    return path;
  }

  private static boolean served(Path path) throws IOException {
    if (Files.isRegularFile(path) || Files.isDirectory(path)) {
      throw new IOException(path + " is in the way: it is not a socket");
    }
    try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      return probe.isConnected();
    } catch (ConnectException nobodyListens) {
      return false;
    }
  }
}
