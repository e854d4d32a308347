package dev.vfio.migration.sandbox.checks;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Which tests a run of Maven skipped, and why: from the reports that it wrote. This file uses
 * nothing but the JDK: {@code ./test} runs it as a single source file.
 */
public final class SkippedTests {
  private static final int MAX_REASON = 220;

  private SkippedTests() {}

  /**
   * Prints one line for each reason.
   *
   * @param arguments the repository's folder, and a file that was written before Maven ran: older
   *     reports are another run's
   */
  public static void main(String[] arguments) throws Exception {
    Path stamp = Path.of(arguments[1]);
    of(Path.of(arguments[0]), Files.getLastModifiedTime(stamp)).forEach(System.out::println);
  }

  /** One line for each reason, with how many tests of which classes it kept from running. */
  public static List<String> of(Path repository, FileTime since) throws Exception {
    Map<String, Integer> counts = new TreeMap<>();
    Map<String, Set<String>> classes = new TreeMap<>();
    for (Path report : reports(repository, since)) {
      Document document =
          DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder().parse(report.toFile());
      NodeList cases = document.getElementsByTagName("testcase");
      for (int index = 0; index < cases.getLength(); index++) {
        Element test = (Element) cases.item(index);
        NodeList skipped = test.getElementsByTagName("skipped");
        if (skipped.getLength() > 0) {
          String reason = reason((Element) skipped.item(0));
          counts.merge(reason, 1, Integer::sum);
          String name = test.getAttribute("classname");
          classes
              .computeIfAbsent(reason, unused -> new TreeSet<>())
              .add(name.substring(name.lastIndexOf('.') + 1));
        }
      }
    }
    List<String> lines = new ArrayList<>();
    counts.forEach(
        (reason, count) ->
            lines.add(
                "%s of %s: %s"
                    .formatted(
                        count == 1 ? "1 test" : count + " tests",
                        String.join(", ", classes.get(reason)),
                        reason)));
    return lines;
  }

  /** The message of an assumption stands in the text, that of a condition in an attribute. */
  private static String reason(Element skipped) {
    String text = skipped.getAttribute("message");
    if (text.isEmpty()) {
      text = skipped.getTextContent().strip().lines().findFirst().orElse("no reason is given");
    }
    text =
        text.replaceFirst("^[\\w.]+Exception: ", "")
            .replaceFirst("^Assumption failed: ", "")
            .replaceFirst("^skipped: ", "");
    return text.length() <= MAX_REASON ? text : text.substring(0, MAX_REASON) + " ...";
  }

  private static List<Path> reports(Path repository, FileTime since) throws IOException {
    List<Path> reports = new ArrayList<>();
    Files.walkFileTree(
        repository,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
            String name = folder.getFileName().toString();
            return !folder.equals(repository) && (name.startsWith(".") || name.equals("classes"))
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            String name = file.getFileName().toString();
            if (file.getParent().endsWith("surefire-reports")
                && name.startsWith("TEST-")
                && name.endsWith(".xml")
                && attributes.lastModifiedTime().compareTo(since) >= 0) {
              reports.add(file);
            }
            return FileVisitResult.CONTINUE;
          }
        });
    return reports;
  }
}
