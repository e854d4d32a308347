package dev.vfio.migration.sandbox.cluster.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The file that says which processes and which folder outside the work folder belong to a running
 * sandbox, for those who must clean up when the supervisor cannot: {@code guard.sh} and a later
 * start. One line each, {@code process PID START NAME} or {@code directory PATH}; START is the
 * process' start time in clock ticks (field 22 of /proc/PID/stat) and distinguishes it from a later
 * process with the same number.
 */
final class ProcessTable {
  private final Path file;

  ProcessTable(Path file) {
    this.file = file;
  }

  synchronized void addProcess(long pid, String name) throws IOException {
    append("process " + pid + " " + startTicks(pid) + " " + name);
  }

  synchronized void addDirectory(Path directory) throws IOException {
    append("directory " + directory);
  }

  synchronized void remove() throws IOException {
    Files.deleteIfExists(file);
  }

  private void append(String line) throws IOException {
    Files.writeString(file, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  /** Start time in clock ticks since boot. The name in the second field may hold blanks. */
  static long startTicks(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
    String[] afterName = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    return Long.parseLong(afterName[19]);
  }
}
