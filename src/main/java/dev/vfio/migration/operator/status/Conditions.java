package dev.vfio.migration.operator.status;

import dev.vfio.migration.operator.api.Condition;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The conditions, one of each type, in the order of {@link ConditionType}. Owns {@code
 * lastTransitionTime}, which follows the status of a condition and not its words. Immutable.
 */
record Conditions(Map<ConditionType, Condition> byType) {

  Conditions {
    Map<ConditionType, Condition> ordered = new EnumMap<>(ConditionType.class);
    ordered.putAll(byType);
    byType = Collections.unmodifiableMap(ordered);
  }

  /** Those of {@code recorded} whose types this operator knows; the first of each. */
  static Conditions of(List<Condition> recorded) {
    Map<ConditionType, Condition> known = new EnumMap<>(ConditionType.class);
    for (ConditionType type : ConditionType.values()) {
      recorded.stream()
          .filter(condition -> condition.type().equals(type.text()))
          .findFirst()
          .ifPresent(condition -> known.put(type, condition));
    }
    return new Conditions(known);
  }

  Optional<Condition> find(ConditionType type) {
    return Optional.ofNullable(byType.get(type));
  }

  List<Condition> list() {
    return List.copyOf(byType.values());
  }

  /**
   * @param generation of the object that the condition describes
   */
  Conditions with(
      ConditionType type,
      Condition.Status status,
      ConditionReason reason,
      String message,
      Instant now,
      long generation) {
    String since =
        find(type)
            .filter(old -> old.status() == status)
            .map(Condition::lastTransitionTime)
            .orElseGet(() -> now.truncatedTo(ChronoUnit.SECONDS).toString());
    Map<ConditionType, Condition> next = new EnumMap<>(ConditionType.class);
    next.putAll(byType);
    next.put(type, new Condition(type.text(), status, reason.text(), message, since, generation));
    return new Conditions(next);
  }
}
