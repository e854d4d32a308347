package dev.vfio.migration.agent.node;

import dev.vfio.migration.connections.certificates.LongNames;
import dev.vfio.migration.vfio.linux.Host;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.Locale;

/** Starts the agent, once all that it cannot do without has been found. */
@QuarkusMain
public final class AgentMain {
  private AgentMain() {}

  public static void main(String... arguments) {
    // What is logged reads the same wherever it runs.
    Locale.setDefault(Locale.ROOT);
    String encoding = System.getProperty("sun.jnu.encoding");
    if (!"UTF-8".equalsIgnoreCase(encoding)) {
      System.err.println(
          "file names are read as "
              + encoding
              + ": devices whose folders are named with other letters cannot be reached. Set"
              + " LC_ALL=C.UTF-8.");
    }
    try {
      Host.pageSize();
    } catch (LinkageError unusable) {
      System.err.println(
          "JNA's native library cannot be loaded, and without it no device can be reached: "
              + unusable.getMessage()
              + ". It is unpacked into a directory that has to be writable and on a file system"
              + " that is not mounted noexec: that of -Djna.tmpdir where it is set, else of"
              + " $XDG_CACHE_HOME or ~/.cache, else -Djava.io.tmpdir ("
              + System.getProperty("java.io.tmpdir")
              + "). Nothing was started. Name one by -Djna.tmpdir=DIRECTORY in JAVA_TOOL_OPTIONS.");
      System.exit(1);
    }
    LongNames.allow();
    Quarkus.run(arguments);
  }
}
