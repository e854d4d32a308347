package dev.vfio.migration.vfio.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What the kernel's headers for VFIO and iommufd say: those of the C library, and those of newer
 * kernels where they are installed in {@code /usr/src}, or named by the system property {@code
 * vfio.kernel-headers} (an {@code include/uapi} folder).
 */
public final class KernelHeaders {
  private static final String INCLUDES =
      """
      /* A mark for the kernel's own checker, which installed headers are rid of. */
      #define __user
      #include <linux/vfio.h>
      #if __has_include(<linux/iommufd.h>)
      #include <linux/iommufd.h>
      #endif
      """;

  private final Map<String, Long> expected = new LinkedHashMap<>();
  private final Map<String, String> needs = new LinkedHashMap<>();

  /** An expression that every header has, and its value. */
  public void expect(String expression, long value) {
    expected.put(expression, value);
  }

  /**
   * An expression that older headers lack.
   *
   * @param needed a macro without which headers have it not
   */
  public void expect(String expression, long value, String needed) {
    expect(expression, value);
    needs.put(expression, needed);
  }

  /** Holds what is expected against the compiler's own headers, as far as they have it. */
  public void holdInstalled(Path folder) throws IOException, InterruptedException {
    Map<String, Long> compiled = compiled(folder, List.of());
    assertThat(compiled.keySet()).containsAll(everywhere());
    assertThat(expected).containsAllEntriesOf(compiled);
  }

  private Set<String> everywhere() {
    Set<String> names = new TreeSet<>(expected.keySet());
    names.removeAll(needs.keySet());
    return names;
  }

  /**
   * Holds all of it against the newer headers; skips the test with what no headers here have. So it
   * belongs into a test of its own.
   */
  public void holdNewest(Path folder) throws IOException, InterruptedException {
    Set<String> missing = missingIn(compiled(folder, List.of()));
    for (Path headers : newerHeaders()) {
      Map<String, Long> compiled = compiled(folder, List.of(copied(headers, folder)));
      assertThat(expected).as("headers in %s", headers).containsAllEntriesOf(compiled);
      missing.retainAll(missingIn(compiled));
    }
    assumeTrue(missing.isEmpty(), () -> unknownHere(missing));
  }

  /** Why a test is skipped that would need newer headers, and where they come from. */
  public static String unknownHere(Set<String> missing) {
    return "skipped: no kernel headers here have these %d, among them %s (./test has newer ones, of a kernel that sandbox/lab/guests/packages gets)"
        .formatted(missing.size(), missing.iterator().next());
  }

  private Map<String, Long> compiled(Path folder, List<Path> includes)
      throws IOException, InterruptedException {
    return CompiledConstants.evaluate(folder, includes, INCLUDES, expected.keySet(), needs);
  }

  private Set<String> missingIn(Map<String, Long> compiled) {
    Set<String> missing = new TreeSet<>(expected.keySet());
    missing.removeAll(compiled.keySet());
    return missing;
  }

  private static List<Path> newerHeaders() throws IOException {
    List<Path> found = new ArrayList<>();
    String named = System.getProperty("vfio.kernel-headers");
    if (named != null) {
      found.add(Path.of(named));
    }
    Path sources = Path.of("/usr/src");
    if (Files.isDirectory(sources)) {
      try (DirectoryStream<Path> trees = Files.newDirectoryStream(sources, "linux-headers-*")) {
        for (Path tree : trees) {
          found.add(tree.resolve("include/uapi"));
        }
      }
    }
    found.removeIf(headers -> !Files.exists(headers.resolve("linux/vfio.h")));
    return found;
  }

  /** Only the two headers: the rest of a kernel's are not made for programs as they lie there. */
  private static Path copied(Path headers, Path folder) throws IOException {
    Path copy = Files.createTempDirectory(folder, "headers");
    Files.createDirectory(copy.resolve("linux"));
    for (String header : new String[] {"linux/vfio.h", "linux/iommufd.h"}) {
      if (Files.exists(headers.resolve(header))) {
        Files.copy(headers.resolve(header), copy.resolve(header));
      }
    }
    return copy;
  }
}
