package dev.vfio.migration.sandbox.cluster.rounds;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Counts outcomes by point, part and fault, and prints them as Markdown. */
public final class OutcomeTable<P extends Labels, T extends Target> {
  private final List<P> points;
  private final List<T> parts;
  private final Map<String, Map<String, Integer>> cells = new LinkedHashMap<>();
  private final List<Long> pauses = new ArrayList<>();
  private int rounds;
  private int violations;
  private int committed;
  private int rolledBack;
  private int waiting;

  /**
   * @param points the rows
   * @param parts the columns
   */
  public OutcomeTable(List<P> points, List<T> parts) {
    this.points = List.copyOf(points);
    this.parts = List.copyOf(parts);
  }

  public void add(RoundPlan<P, T> plan, Outcome outcome) {
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
    for (Blow<T> blow : plan.blows()) {
      boolean alone = plan.blows().size() == 1;
      cells
          .computeIfAbsent(key(plan.point(), blow.part(), blow.fault()), key -> new TreeMap<>())
          .merge(outcome.word() + (alone ? "" : " (two faults)"), 1, Integer::sum);
    }
  }

  private static String key(Labels point, Labels part, Fault fault) {
    return point.label() + " " + part.label() + " " + fault;
  }

  /** Rounds that broke a rule. */
  public int violations() {
    return violations;
  }

  /** One table for each fault that happened: a row for each point, a column for each part. */
  public String markdown() {
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
    for (T part : parts) {
      text.append(' ').append(part.label()).append(" |");
    }
    text.append("\n|---|").append("---|".repeat(parts.size())).append('\n');
    for (P point : points) {
      text.append("| ").append(point.label()).append(" |");
      for (T part : parts) {
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
  public Optional<String> pauses() {
    return pauses.isEmpty() ? Optional.empty() : Optional.of(PauseAfterFault.summary(pauses));
  }

  /** The one line that ends a run. */
  public String result() {
    return "rounds=%d violations=%d committed=%d rolledBack=%d waiting=%d"
        .formatted(rounds, violations, committed, rolledBack, waiting);
  }
}
