package dev.vfio.migration.sandbox.cluster.chaos;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Counts outcomes by point, part and fault, and prints them as Markdown. */
final class OutcomeTable {
  private final Map<String, Map<String, Integer>> cells = new LinkedHashMap<>();
  private final List<Long> pauses = new ArrayList<>();
  private int rounds;
  private int violations;
  private int committed;
  private int rolledBack;
  private int waiting;

  void add(RoundPlan plan, Outcome outcome) {
    rounds++;
    outcome.pauseNanos().ifPresent(pauses::add);
    violations += outcome.violations().isEmpty() ? 0 : 1;
    if (outcome.waits()) {
      waiting++;
    } else if (outcome.handover().equals("Committed")) {
      committed++;
    } else {
      rolledBack++;
    }
    for (Blow blow : plan.blows()) {
      boolean alone = plan.blows().size() == 1;
      cells
          .computeIfAbsent(key(plan.point(), blow.part(), blow.fault()), key -> new TreeMap<>())
          .merge(outcome.word() + (alone ? "" : " (two faults)"), 1, Integer::sum);
    }
  }

  private static String key(Point point, Part part, Fault fault) {
    return point + " " + part + " " + fault;
  }

  int violations() {
    return violations;
  }

  /** One table for each fault that happened: a row for each point, a column for each part. */
  String markdown() {
    StringBuilder text = new StringBuilder();
    for (Fault fault : Fault.values()) {
      if (cells.keySet().stream().anyMatch(key -> key.endsWith(" " + fault))) {
        table(text, fault);
      }
    }
    return text.toString();
  }

  private void table(StringBuilder text, Fault fault) {
    text.append("| ").append(fault.label()).append(" |");
    for (Part part : Part.values()) {
      text.append(' ').append(part.label()).append(" |");
    }
    text.append("\n|---|").append("---|".repeat(Part.values().length)).append('\n');
    for (Point point : Point.values()) {
      text.append("| ").append(point.label()).append(" |");
      for (Part part : Part.values()) {
        text.append(' ').append(cell(cells.get(key(point, part, fault)))).append(" |");
      }
      text.append('\n');
    }
    text.append('\n');
  }

  private static String cell(Map<String, Integer> outcomes) {
    return outcomes == null
        ? ""
        : outcomes.entrySet().stream()
            .map(entry -> entry.getKey() + (entry.getValue() > 1 ? " ×" + entry.getValue() : ""))
            .collect(Collectors.joining("; "));
  }

  /** What the faults cost workloads that were paused already; empty where none was. */
  Optional<String> pauses() {
    return pauses.isEmpty() ? Optional.empty() : Optional.of(PauseAfterFault.summary(pauses));
  }

  /** The one line that ends a run. */
  String result() {
    return "rounds=%d violations=%d committed=%d rolledBack=%d waiting=%d"
        .formatted(rounds, violations, committed, rolledBack, waiting);
  }
}
