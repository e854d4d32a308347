package dev.vfio.migration.agent.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The tables of docs/model/handover.pml, read from its text. */
final class HandoverModel {
  private static final Pattern GO =
      Pattern.compile("(?m)^ *GO\\((src|dst), (\\w+), (\\w+),[\\s\\S]*?\\)(?=\\s*(/\\*.*\\*/)?$)");
  private static final Pattern TOLD = Pattern.compile("TOLD\\(\\w+, (\\w+)\\)");
  private static final Pattern ENTRY = Pattern.compile("JOURNAL\\(\\w+, (\\w+)\\)");

  private final String text;

  HandoverModel() throws IOException {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("docs/model/handover.pml"))) {
      folder = folder.getParent();
    }
    text = Files.readString(folder.resolve("docs/model/handover.pml"));
  }

  /** "FROM -&gt; TO" of one side, src or dst. */
  Set<String> moves(String side) {
    Set<String> pairs = new TreeSet<>();
    goes(side).forEach(go -> pairs.add(go.group(2) + " -> " + go.group(3)));
    return pairs;
  }

  /** What each "FROM -&gt; TO" follows from: the commands that it waits for, or "itself". */
  Map<String, Set<String>> causes(String side) {
    Map<String, Set<String>> causes = new TreeMap<>();
    for (MatchResult go : goes(side)) {
      Matcher told = TOLD.matcher(go.group());
      String command = told.find() ? told.group(1) : "itself";
      causes
          .computeIfAbsent(go.group(2) + " -> " + go.group(3), pair -> new TreeSet<>())
          // The machines have Cancel besides, which does the same.
          .addAll(command.startsWith("RollBack") ? Set.of("RollBack", "Cancel") : Set.of(command));
    }
    return causes;
  }

  private List<MatchResult> goes(String side) {
    return GO.matcher(text).results().filter(go -> go.group(1).equals(side)).toList();
  }

  /** "entry -&gt; STATE": where the side is once that entry is on disk. */
  Set<String> entries(String side) {
    Set<String> pairs = new TreeSet<>();
    for (MatchResult go : goes(side)) {
      for (String entry : entriesIn(go.group())) {
        pairs.add(entry + " -> " + go.group(3));
      }
    }
    Pattern alone = Pattern.compile("(?m):: atomic \\{ " + side + " == (\\w+) .*-> JOURNAL.*$");
    alone
        .matcher(text)
        .results()
        .forEach(
            line ->
                entriesIn(line.group())
                    .forEach(entry -> pairs.add(entry + " -> " + line.group(1))));
    return pairs;
  }

  private static List<String> entriesIn(String effect) {
    List<String> entries = new ArrayList<>();
    ENTRY.matcher(effect).results().forEach(found -> entries.add(found.group(1)));
    return entries;
  }

  Set<String> replays(String side) {
    return rows("REPLAY", side);
  }

  /** Where an entry tells all that is to be known, what was lost behind it changes nothing. */
  Set<String> damaged(String side) {
    Set<String> pairs = rows("DAMAGED", side);
    List<String> named = pairs.stream().map(pair -> pair.split(" ")[0]).toList();
    for (String pair : replays(side)) {
      if (!named.contains(pair.split(" ")[0])) {
        pairs.add(pair);
      }
    }
    return pairs;
  }

  private Set<String> rows(String table, String side) {
    Set<String> pairs = new TreeSet<>();
    Pattern.compile("\\b" + table + "\\(" + side + ", (\\w+), (\\w+)\\)")
        .matcher(text)
        .results()
        .forEach(row -> pairs.add(row.group(1) + " -> " + row.group(2)));
    return pairs;
  }
}
