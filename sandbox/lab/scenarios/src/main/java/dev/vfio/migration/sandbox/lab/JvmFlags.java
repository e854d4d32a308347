package dev.vfio.migration.sandbox.lab;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How Java machines are started in guests, where each needless instruction is paid 25 times. */
final class JvmFlags {
  /** What an archive and its user must agree on. */
  private static final List<String> QUICK_START =
      List.of(
          "-XX:TieredStopAtLevel=1",
          "-XX:+UseSerialGC",
          "-Xshare:auto",
          "-XX:-UsePerfData",
          "-Xmx192m");

  private JvmFlags() {}

  /** The flags to make an archive, on this machine. */
  static List<String> training(Path archive) {
    List<String> flags = new ArrayList<>(QUICK_START);
    flags.add("-XX:ArchiveClassesAtExit=" + archive);
    return List.copyOf(flags);
  }

  /**
   * The flags in a guest. What the archive holds was verified when it was made, from the same
   * files; the rest is not verified again.
   */
  static List<String> quickStart(Path archive) {
    List<String> flags = new ArrayList<>(QUICK_START);
    flags.add("-XX:SharedArchiveFile=" + archive);
    flags.add("-XX:+UnlockDiagnosticVMOptions");
    flags.add("-XX:-BytecodeVerificationRemote");
    return List.copyOf(flags);
  }
}
