package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import dev.vfio.migration.text.ForeignText;
import java.util.List;

/**
 * What the agent of a node last reported of its devices.
 *
 * @param problem null while there is none
 * @param lastChange when anything else of this status last changed (RFC 3339)
 * @param devices in the order in which the agent lists them
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
@JsonDeserialize(using = TolerantReader.OfNodeStatus.class)
public record VfioNodeStatus(
    @JsonPropertyDescription("Version of the node's agent.") String agentVersion,
    @JsonPropertyDescription(
            "Whether the operator reaches the agent. While it does not, the devices are those it"
                + " last listed.")
        Boolean reachable,
    @JsonPropertyDescription("Why the agent is not reached, or could not list its devices.")
        String problem,
    @JsonPropertyDescription("When any field of this status last changed (RFC 3339).")
        String lastChange,
    @JsonPropertyDescription("How many devices the node has.") VfioDeviceCounts counts,
    @JsonPropertyDescription("Every VFIO device that the agent sees, also those that cannot move.")
        List<VfioDevice> devices) {

  public VfioNodeStatus {
    agentVersion = ForeignText.inStatus(agentVersion);
    problem = ForeignText.inStatus(problem);
    devices = devices == null ? List.of() : List.copyOf(devices);
  }

  /** The status of a node whose agent was never asked. */
  public static final VfioNodeStatus EMPTY = new VfioNodeStatus(null, null, null, null, null, null);

  /** The same, last changed then. */
  public VfioNodeStatus changedAt(String time) {
    return new VfioNodeStatus(agentVersion, reachable, problem, time, counts, devices);
  }

  /** Whether the other one says the same, whenever it changed. */
  public boolean saysTheSameAs(VfioNodeStatus other) {
    return changedAt(null).equals(other.changedAt(null));
  }
}
