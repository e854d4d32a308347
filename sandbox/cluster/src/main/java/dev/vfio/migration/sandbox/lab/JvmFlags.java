package dev.vfio.migration.sandbox.lab;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** How Java machines are started in guests. */
final class JvmFlags {
  private JvmFlags() {}

  /** The least work before the first useful instruction; the archive must come from these flags. */
  static List<String> quickStart(Optional<Path> archive) {
    List<String> flags =
        new ArrayList<>(
            List.of(
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xshare:auto",
                "-XX:-UsePerfData",
                "-Xmx192m"));
    archive.ifPresent(path -> flags.add("-XX:SharedArchiveFile=" + path));
    return List.copyOf(flags);
  }
}
