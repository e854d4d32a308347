package dev.vfio.migration.sandbox.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A newcomer who opens a folder reads first what it is about. */
class PackagesTest {
  @Test
  void everyPackageSaysWhatItIs() {
    List<Path> packages =
        SourceTree.files().stream()
            .filter(file -> file.toString().matches("(.*/)?main/java/dev/.*\\.java"))
            .map(Path::getParent)
            .distinct()
            .sorted()
            .toList();
    assertThat(packages).isNotEmpty();
    assertThat(packages.stream().filter(folder -> !described(folder)))
        .as("packages without a package-info.java that says what they are and may not know")
        .isEmpty();
  }

  private static boolean described(Path folder) {
    Path file = folder.resolve("package-info.java");
    return Files.exists(SourceTree.root().resolve(file)) && SourceTree.text(file).contains("/**");
  }
}
