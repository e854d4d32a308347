package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.decision.Side.Inspection;
import dev.vfio.migration.operator.decision.Side.Refusal;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * What the agents answered to the commands of one step. Belongs to one reconciliation and is not
 * thread-safe.
 */
final class Answers {
  private final Map<Role, Refusal> refusals = new EnumMap<>(Role.class);
  private final Map<Role, Inspection> inspections = new EnumMap<>(Role.class);
  private final Map<Role, Session> verifications = new EnumMap<>(Role.class);
  private boolean carriedOut;

  static Answers none() {
    return new Answers();
  }

  void carriedOut() {
    carriedOut = true;
  }

  void refused(Role side, Refusal refusal) {
    refusals.put(side, refusal);
  }

  void inspected(Role side, Inspection inspection) {
    inspections.put(side, inspection);
  }

  /** The agent confirmed that the device still holds what was loaded. */
  void verified(Role side, Session session) {
    verifications.put(side, session);
    carriedOut = true;
  }

  Optional<Session> verification(Role side) {
    return Optional.ofNullable(verifications.get(side));
  }

  Optional<Refusal> refusal(Role side) {
    return Optional.ofNullable(refusals.get(side));
  }

  Optional<Inspection> inspection(Role side) {
    return Optional.ofNullable(inspections.get(side));
  }

  /** True when something is known now that the last decision did not know. */
  boolean areNews() {
    return carriedOut || !refusals.isEmpty() || !inspections.isEmpty();
  }
}
