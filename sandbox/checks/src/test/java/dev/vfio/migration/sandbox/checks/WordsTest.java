package dev.vfio.migration.sandbox.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * One idea has one word, and the glossary in docs/architecture.md has it. The words below were used
 * for the same ideas before; they must not come back.
 */
class WordsTest {
  private static final Pattern SEARCHED =
      Pattern.compile(".*\\.(java|md|c|h|sh|proto|properties|yaml|yml)");

  /** Alone, in the plural, or as a part of an identifier: desk, Desks, deskOf, HANDOVER_DESK. */
  private static final Set<String> WORDS =
      Set.of(
          "accommodation",
          "borrow",
          "borrower",
          "claimant",
          "desk",
          "errand",
          "inlet",
          "lend",
          "machinery",
          "outlet",
          "patience",
          "prop",
          "receipt",
          "story",
          "surrounding",
          "vacate",
          "visitor");

  /** A word, or one part of an identifier. */
  private static final Pattern PART = Pattern.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+");

  /** Identifiers as a whole, and phrases; a limit is called MAX. */
  private static final Pattern UNWANTED =
      Pattern.compile(
          "\\b(?:Breathe|DefinitionFinish|NodeDefinitionFinish|StateBook)\\b|\\b(?:class|record)"
              + " Told\\b|static final [\\w<>]+"
              + " (?:\\w+_)?(?:MOST|LONGEST|MAXIMUM)(?:_\\w+)?\\b|(?i:\\b(?:be it that|(?:for|in)"
              + " want of|lets? go of|went away)\\b)");

  private static final Pattern LINE_BREAK = Pattern.compile("\\n[ \\t]*(?:[*#] |//+ )?[ \\t]*");

  /** What is not searched. */
  private static final Map<String, String> FILES =
      Map.of(
          "CHANGELOG.md", "says what was called how in past releases",
          "released-crds", "what past releases contained",
          "WordsTest.java", "this list");

  /** What may be written all the same. */
  private static final Map<String, String> ALLOWED =
      Map.of(
          "(?i:(?:agent[.-])?stop.?patience)", "a setting's old name, which holds for one release",
          "sig-api-machinery", "a part of an address",
          "JSONSchemaProps\\w*", "a class of the Kubernetes client",
          "\\b\\w*Visitor\\b(?: visitor\\b)?|\\bvisitor\\.\\w+\\(|, visitor\\)",
              "the pattern that names every case of a sealed hierarchy, and the JDK's classes");

  private static final Pattern EXCUSED = Pattern.compile(String.join("|", ALLOWED.keySet()));

  @Test
  void noWordThatWasReplacedComesBack() {
    List<String> found = new ArrayList<>();
    for (Path file : SourceTree.files()) {
      if (SEARCHED.matcher(file.toString()).matches()
          && FILES.keySet().stream().noneMatch(file.toString()::contains)) {
        search(file, file.getFileName() + "\n" + SourceTree.text(file), found);
      }
    }
    assertThat(found).as("words that the glossary in docs/architecture.md replaces").isEmpty();
  }

  private static void search(Path file, String text, List<String> found) {
    int number = 0;
    for (String line : text.split("\n", -1)) {
      if (hasUnwantedWord(line) && hasUnwantedWord(EXCUSED.matcher(line).replaceAll(""))) {
        found.add(file + ":" + number + ": " + line.strip());
      }
      number++;
    }
    // A phrase may be broken over two lines.
    UNWANTED
        .matcher(LINE_BREAK.matcher(text).replaceAll(" "))
        .results()
        .forEach(hit -> found.add(file + ": " + hit.group()));
  }

  private static boolean hasUnwantedWord(String line) {
    return PART.matcher(line)
        .results()
        .anyMatch(part -> WORDS.contains(singular(part.group().toLowerCase(Locale.ROOT))));
  }

  private static String singular(String word) {
    if (word.endsWith("ies")) {
      return word.substring(0, word.length() - 3) + "y";
    }
    return word.endsWith("s") ? word.substring(0, word.length() - 1) : word;
  }
}
