package dev.vfio.migration.sandbox.lab;

import java.nio.file.Path;

/** Words for a POSIX shell. */
final class Shell {
  private Shell() {}

  /** The word, whatever is in it. */
  static String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'";
  }

  static String quoted(Path path) {
    return quoted(path.toString());
  }
}
