package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Who decides when the workload is paused. */
public enum Switchover {
  @JsonProperty("Automatic")
  AUTOMATIC,
  @JsonProperty("Manual")
  MANUAL
}
