package dev.vfio.migration.operator.decision;

/**
 * Failed and Cancelled: both sides confirmed, or nothing was touched. Leads nowhere. Gives RollBack
 * or Cancel once more to an agent whose journal forgot the decision since, and Delete once the time
 * to live is over.
 */
record RolledBackEnd(DecisionDraft draft) implements PhaseDecision {

  @Override
  public Decision decide() {
    RollbackSteps steps = new RollbackSteps(draft);
    draft.sides().forEach(steps::next);
    return draft.finished();
  }
}
