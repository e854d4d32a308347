package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * Who owns the state. Changes once, from {@link #UNDECIDED}, by one compare-and-set on the object's
 * resource version, and never again.
 */
public enum Handover {
  @JsonProperty("Undecided")
  UNDECIDED("Undecided"),
  @JsonProperty("Committed")
  COMMITTED("Committed"),
  @JsonProperty("RolledBack")
  ROLLED_BACK("RolledBack");

  private final String text;

  Handover(String text) {
    this.text = text;
  }

  /** The name as users read it in {@code status.handover}. */
  public String text() {
    return text;
  }
}
