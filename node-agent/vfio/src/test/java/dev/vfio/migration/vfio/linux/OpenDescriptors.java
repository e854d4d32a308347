package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * The sockets and test files this process has open: what a leak of this library would add to. Files
 * that the virtual machine opens for itself do not count.
 */
public final class OpenDescriptors {
  private static final String SOCKET = "socket:";

  static {
    // The virtual machine's first file channel opens a socket that it keeps for good: that happens
    // before the first count, whichever test comes first.
    try {
      FileChannel.open(Path.of("/dev/null")).close();
    } catch (IOException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private OpenDescriptors() {}

  /** By kind or file, how many. */
  public static Map<String, Integer> count(Path folder) throws IOException {
    Map<String, Integer> counted = new TreeMap<>();
    each(folder)
        .forEach(
            (name, open) ->
                counted.merge(name.startsWith(SOCKET) ? "socket" : name, open, Integer::sum));
    return counted;
  }

  /** Descriptors of each socket and of each file in the folder. */
  static Map<String, Integer> each(Path folder) throws IOException {
    Map<String, Integer> counted = new TreeMap<>();
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        try {
          String target = Files.readSymbolicLink(link).toString();
          if (target.startsWith(SOCKET) || target.startsWith(folder.toString())) {
            counted.merge(target, 1, Integer::sum);
          }
        } catch (NoSuchFileException closedMeanwhile) {
          continue;
        }
      }
    }
    return counted;
  }
}
