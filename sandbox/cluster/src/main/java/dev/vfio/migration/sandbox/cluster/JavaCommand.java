package dev.vfio.migration.sandbox.cluster;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Puts together the command line of a Java process of the sandbox. */
public final class JavaCommand {

  /** What a Java machine is tuned for. */
  public enum Tuning {
    /** Up in a second, at the price of slower code: demo and tests. */
    QUICK_START(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")),
    /** As in production; for the benchmark. */
    FULL_SPEED(List.of("-XX:+UseSerialGC"));

    private final List<String> flags;

    Tuning(List<String> flags) {
      this.flags = flags;
    }
  }

  private final List<String> flags = new ArrayList<>();
  private final Map<String, String> properties = new TreeMap<>();

  /**
   * @param heap the most heap it may use, as -Xmx takes it
   * @param temporary where it puts what it unpacks: a process that is killed cannot remove it, so
   *     it must be inside the work folder
   */
  public JavaCommand(Tuning tuning, String heap, Path temporary) {
    flags.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    flags.addAll(tuning.flags);
    flags.add("-Xmx" + heap);
    // No /tmp/hsperfdata files.
    flags.add("-XX:-UsePerfData");
    property("java.io.tmpdir", temporary.toString());
    property("jna.tmpdir", temporary.toString());
  }

  /** Adds a system property. */
  public JavaCommand property(String name, String value) {
    properties.put(name, value);
    return this;
  }

  /** The command that runs that jar. */
  public List<String> jar(Path jar) {
    List<String> command = start();
    command.add("-jar");
    command.add(jar.toString());
    return command;
  }

  /** The command that runs that main class. */
  public List<String> main(String classPath, String mainClass, List<String> arguments) {
    List<String> command = start();
    command.add("-cp");
    command.add(classPath);
    command.add(mainClass);
    command.addAll(arguments);
    return command;
  }

  private List<String> start() {
    List<String> command = new ArrayList<>(flags);
    properties.forEach((name, value) -> command.add("-D" + name + "=" + value));
    return command;
  }
}
