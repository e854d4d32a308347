package dev.vfio.migration.sandbox.cluster.process;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What to start.
 *
 * @param name for people and for the process table; no blanks
 * @param command program and arguments
 * @param environment set in addition to the supervisor's own
 * @param directory working directory of the process, made if it is missing
 * @param log takes standard output and standard error; appended to, so that a restart keeps the
 *     earlier lines
 */
public record ProcessSpec(
    String name, List<String> command, Map<String, String> environment, Path directory, Path log) {

  public ProcessSpec {
    if (name.isBlank() || name.chars().anyMatch(Character::isWhitespace)) {
      throw new IllegalArgumentException("a process name has no blanks: '" + name + "'");
    }
    command = List.copyOf(command);
    environment = Map.copyOf(environment);
  }
}
