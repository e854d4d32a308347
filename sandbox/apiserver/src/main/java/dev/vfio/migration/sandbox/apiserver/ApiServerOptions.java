package dev.vfio.migration.sandbox.apiserver;

import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * How an API server is started.
 *
 * @param address loopback address to listen on
 * @param port 0 for any free one, else 1 to 65535
 * @param definitions directory of CustomResourceDefinitions (*.yaml, *.yml, *.json) to create first
 * @param dataDirectory where objects are kept over a restart; absent keeps them in memory only
 * @param historyLimit changes kept for watches that start in the past, at least 1
 * @param bookmarkInterval how often a watch that wants bookmarks gets one
 */
public record ApiServerOptions(
    InetAddress address,
    int port,
    Optional<Path> definitions,
    Optional<Path> dataDirectory,
    int historyLimit,
    Duration bookmarkInterval) {
  private static final int HISTORY = 10_000;
  private static final int PORTS = 65_535;

  /** Refuses ports that cannot be. */
  public ApiServerOptions {
    if (port < 0 || port > PORTS) {
      throw new IllegalArgumentException("port " + port + " is not between 0 and " + PORTS);
    }
  }

  /** On any free port of 127.0.0.1, in memory, with the built-in kinds only. */
  public static ApiServerOptions defaults() {
    return new ApiServerOptions(
        InetAddress.getLoopbackAddress(),
        0,
        Optional.empty(),
        Optional.empty(),
        HISTORY,
        Duration.ofMinutes(1));
  }

  /** With another address and port. */
  public ApiServerOptions listeningOn(InetAddress newAddress, int newPort) {
    return new ApiServerOptions(
        newAddress, newPort, definitions, dataDirectory, historyLimit, bookmarkInterval);
  }

  /** With the CustomResourceDefinitions of a directory. */
  public ApiServerOptions withDefinitions(Path directory) {
    return new ApiServerOptions(
        address, port, Optional.of(directory), dataDirectory, historyLimit, bookmarkInterval);
  }

  /** Keeping objects in a directory. */
  public ApiServerOptions withDataDirectory(Path directory) {
    return new ApiServerOptions(
        address, port, definitions, Optional.of(directory), historyLimit, bookmarkInterval);
  }

  /** With a history of another length. */
  public ApiServerOptions withHistoryLimit(int changes) {
    return new ApiServerOptions(
        address, port, definitions, dataDirectory, changes, bookmarkInterval);
  }

  /** With bookmarks at another interval. */
  public ApiServerOptions withBookmarkInterval(Duration interval) {
    return new ApiServerOptions(address, port, definitions, dataDirectory, historyLimit, interval);
  }
}
