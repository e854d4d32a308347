package dev.vfio.migration.sandbox.chaos;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * An edit of one class after which the handover is broken. The search has to find it: that is how
 * the search itself is tested.
 *
 * @param name of its file, without the ending
 * @param className of the class that is edited
 * @param does what is wrong then, in one sentence
 * @param old the text that is there once, with whole lines
 * @param planted the text in place of it, with whole lines
 */
record PlantedBug(String name, String className, String does, String old, String planted) {
  private static final Path FOLDER = Path.of("sandbox/simulation/src/test/resources/planted");
  private static final String ENDING = ".txt";
  private static final String CLASS = "class: ";
  private static final String DOES = "does: ";
  private static final String OLD = "=== in the code";
  private static final String PLANTED = "=== planted";
  private static final List<String> SOURCES =
      List.of(
          "node-agent/agent/src/main/java",
          "node-agent/vfio/src/main/java",
          "src/main/java",
          "sandbox/simulation/src/main/java");

  /** All that there are, by name. */
  static List<PlantedBug> all() throws IOException {
    List<PlantedBug> bugs = new ArrayList<>();
    try (Stream<Path> files = Files.list(repository().resolve(FOLDER))) {
      for (Path file : files.sorted().toList()) {
        bugs.add(read(file));
      }
    }
    return bugs;
  }

  private static PlantedBug read(Path file) throws IOException {
    String text = Files.readString(file);
    int old = text.indexOf(OLD + "\n");
    int planted = text.indexOf(PLANTED + "\n");
    String[] head = text.split("\n", 3);
    if (old < 0 || planted < old || !head[0].startsWith(CLASS) || !head[1].startsWith(DOES)) {
      throw new IllegalArgumentException(
          String.format(
              "%s is to have the lines '%s...', '%s...', '%s' and '%s', in this order",
              file, CLASS, DOES, OLD, PLANTED));
    }
    String name = file.getFileName().toString();
    return new PlantedBug(
        name.substring(0, name.length() - ENDING.length()),
        head[0].substring(CLASS.length()),
        head[1].substring(DOES.length()),
        text.substring(old + OLD.length() + 1, planted),
        text.substring(planted + PLANTED.length() + 1));
  }

  /**
   * The source of the class with the bug in it.
   *
   * @throws IllegalStateException where the text is not there, or more than once: the code has
   *     changed, and the bug is to be planted anew
   */
  String edited() throws IOException {
    Path file = source();
    String text = Files.readString(file);
    int times = text.split(java.util.regex.Pattern.quote(old), -1).length - 1;
    if (times != 1) {
      throw new IllegalStateException(
          String.format(
              "the planted bug %s no longer fits: its text is %s times in %s, and is to be there"
                  + " once. Plant it anew, in %s",
              name, times, file, FOLDER.resolve(name + ENDING)));
    }
    return text.replace(old, planted);
  }

  private Path source() {
    String path = className.replace('.', '/') + ".java";
    return SOURCES.stream()
        .map(folder -> repository().resolve(folder).resolve(path))
        .filter(Files::exists)
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    String.format(
                        "the planted bug %s no longer fits: there is no source of %s in %s",
                        name, className, SOURCES)));
  }

  /** The folder of the repository: this one, or one above. */
  private static Path repository() {
    Path here = Path.of("").toAbsolutePath();
    for (Path folder = here; folder != null; folder = folder.getParent()) {
      if (Files.isDirectory(folder.resolve(FOLDER))) {
        return folder;
      }
    }
    throw new IllegalStateException(here + " is not in the repository: no folder has " + FOLDER);
  }
}
