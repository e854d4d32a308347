package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.List;

/** How many devices a node has. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record VfioDeviceCounts(
    @JsonPropertyDescription("All VFIO devices.") Integer devices,
    @JsonPropertyDescription("Those that can be moved.") Integer migratable,
    @JsonPropertyDescription("Those that somebody has open.") Integer busy) {

  public static VfioDeviceCounts of(List<VfioDevice> devices) {
    return new VfioDeviceCounts(
        devices.size(),
        (int) devices.stream().filter(VfioDevice::migratable).count(),
        (int) devices.stream().filter(VfioDevice::busy).count());
  }
}
