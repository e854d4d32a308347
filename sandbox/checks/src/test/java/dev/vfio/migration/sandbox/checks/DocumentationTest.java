package dev.vfio.migration.sandbox.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the documentation names is there: pages, headings, files, packages, classes. */
class DocumentationTest {
  private static final Pattern BLOCK = Pattern.compile("(?ms)^```.*?^```$");
  private static final Pattern SPAN = Pattern.compile("`([^`\n]+)`");
  private static final Pattern LINK = Pattern.compile("\\[[^\\]]*]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.+)$");
  private static final Pattern PATH = Pattern.compile("(?<![\\w./$-])[\\w.-]+(?:/[\\w.-]+)+/?");
  private static final Pattern CLASS =
      Pattern.compile("(?<![\\w./$@:-])(?:[A-Z][a-z0-9]+){2,}(?![\\w-])");
  private static final Pattern PACKAGE =
      Pattern.compile("(?:vfio|agent|operator|sandbox|connections|contract)(?:\\.[a-z0-9]+)+");

  private static final Set<String> ABOUT_THE_CODE =
      Set.of(
          "CONTRIBUTING.md",
          "docs/architecture.md",
          "docs/handover.md",
          "docs/state-stream.md",
          "docs/workload-transfer.md");

  private static List<Path> files;
  private static Set<String> names;
  private static Set<String> folders;
  private static String mainSources;
  private static String manifests;

  @BeforeAll
  static void readTheRepository() {
    files = SourceTree.files();
    names = files.stream().map(Path::getFileName).map(Path::toString).collect(Collectors.toSet());
    folders =
        files.stream()
            .filter(file -> file.toString().endsWith(".java"))
            .map(file -> file.getParent().toString())
            .collect(Collectors.toSet());
    mainSources = texts(".*\\bmain/.*\\.(java|proto)");
    manifests = texts("(helm|examples)/.*\\.yaml");
  }

  private static String texts(String names) {
    return files.stream()
        .filter(file -> file.toString().matches(names))
        .map(SourceTree::text)
        .collect(Collectors.joining());
  }

  @Test
  void everyLinkLeadsToAPageAndAHeading() {
    List<String> broken =
        pages()
            .flatMap(
                page ->
                    matches(LINK, SPAN.matcher(prose(page)).replaceAll(""))
                        .map(link -> link.group(1))
                        .filter(target -> !target.matches("https?:.*"))
                        .filter(target -> !leadsSomewhere(page, target))
                        .map(target -> page + ": " + target))
            .toList();
    assertThat(broken).as("links that lead nowhere").isEmpty();
  }

  /** The pages for those who change the code; the others name kinds of Kubernetes as well. */
  private static Stream<Path> pagesAboutTheCode() {
    return pages()
        .filter(
            page ->
                ABOUT_THE_CODE.contains(page.toString())
                    || page.getNameCount() > 1 && page.endsWith("README.md"));
  }

  @ParameterizedTest
  @MethodSource("pagesAboutTheCode")
  void everyFilePackageAndClassThatThePageNamesExists(Path page) {
    List<String> code = code(page);
    String text = String.join("\n", code);
    assertThat(
            Stream.of(
                    missing(PATH, text, path -> !inRepository(path) || exists(page, path)),
                    missing(CLASS, text, DocumentationTest::known),
                    code.stream()
                        .filter(PACKAGE.asMatchPredicate())
                        .filter(name -> !packageOrKey(name)))
                .flatMap(found -> found)
                .distinct())
        .as("what %s names and nobody has", page)
        .isEmpty();
  }

  private static Stream<String> missing(Pattern pattern, String text, Predicate<String> there) {
    return matches(pattern, text).map(MatchResult::group).filter(there.negate());
  }

  /** A path of the repository begins with one of its folders; others are of a node or a run. */
  private static boolean inRepository(String path) {
    return Files.exists(SourceTree.root().resolve(path.substring(0, path.indexOf('/'))));
  }

  /** From the root or from the page's folder, or made by a build. */
  private static boolean exists(Path page, String path) {
    return Files.exists(SourceTree.root().resolve(path))
        || Files.exists(SourceTree.root().resolve(page).resolveSibling(path).normalize())
        || path.contains("target/");
  }

  /** A class of ours, or a word that a main source or the contract has as a text or a name. */
  private static boolean known(String name) {
    return names.contains(name + ".java")
        || mainSources.contains("\"" + name + "\"")
        || mainSources.contains("record " + name + "(")
        || mainSources.contains("rpc " + name + "(")
        || manifests.contains(": " + name + "\n");
  }

  private static boolean packageOrKey(String name) {
    String folder = "dev/vfio/migration/" + name.replace('.', '/');
    return folders.stream().anyMatch(candidate -> candidate.endsWith(folder))
        || names.contains(name)
        || mainSources.contains("\"" + name + "\"");
  }

  private static boolean leadsSomewhere(Path page, String target) {
    String[] parts = target.split("#", 2);
    Path file = parts[0].isEmpty() ? page : page.resolveSibling(Path.of(parts[0])).normalize();
    return Files.exists(SourceTree.root().resolve(file))
        && (parts.length == 1
            || matches(HEADING, prose(file))
                .map(heading -> anchor(heading.group(1)))
                .anyMatch(parts[1]::equals));
  }

  private static String anchor(String heading) {
    return heading
        .toLowerCase(Locale.ROOT)
        .replaceAll("[^\\p{L}\\p{N}_ -]", "")
        .trim()
        .replace(' ', '-');
  }

  /** What a page shows as code: in a line, and in blocks. */
  private static List<String> code(Path page) {
    return Stream.concat(
            matches(SPAN, prose(page)).map(span -> span.group(1)),
            matches(BLOCK, SourceTree.text(page)).map(MatchResult::group))
        .toList();
  }

  private static Stream<Path> pages() {
    return files.stream().filter(file -> file.toString().endsWith(".md"));
  }

  private static String prose(Path page) {
    return BLOCK.matcher(SourceTree.text(page)).replaceAll("");
  }

  private static Stream<MatchResult> matches(Pattern pattern, String text) {
    return pattern.matcher(text).results();
  }
}
