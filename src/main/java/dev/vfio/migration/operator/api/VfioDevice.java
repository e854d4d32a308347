package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import java.util.List;

/**
 * One device as its node's agent lists it. What is not known or does not exist is null.
 *
 * @param flags in the interface's own names; empty for the region interfaces
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
@JsonIgnoreProperties(ignoreUnknown = true)
public record VfioDevice(
    @JsonPropertyDescription(
            "What a DeviceMigration calls it: PCI address, mdev UUID, or vfio-user:NAME.")
        @Required
        String id,
    @JsonPropertyDescription("Its PCI address, or that of a mediated device's parent.")
        String pciAddress,
    @JsonPropertyDescription("vendor:device subvendor:subdevice of that PCI device, hexadecimal.")
        String pciIds,
    @JsonPropertyDescription("Type of a mediated device, as its parent names it.") String mdevType,
    @JsonPropertyDescription("Kernel driver that the device, or its parent, is bound to.")
        String driver,
    @JsonPropertyDescription("The driver's own name for the format of its state.")
        String streamVersion,
    @JsonPropertyDescription("Its IOMMU group: /dev/vfio/NUMBER.") Integer iommuGroup,
    @JsonPropertyDescription("Its name in /dev/vfio/devices, such as vfio3.")
        String characterDevice,
    @JsonPropertyDescription("The NUMA node it is attached to.") Integer numaNode,
    @JsonPropertyDescription(
            "The migration interface it speaks: REGION_2018, REGION_V1 or FEATURE_V2.")
        String migrationInterface,
    @JsonPropertyDescription(
            "What its interface offers, where it reports that: STOP_COPY, P2P, PRE_COPY.")
        List<String> flags,
    @JsonPropertyDescription("What the device calls itself; equal at both ends of a migration.")
        String model,
    @JsonPropertyDescription(
            "Its state, by the migration interface's own names; not every device reports it.")
        String state,
    @JsonPropertyDescription("Somebody has it open.") @Required boolean busy,
    @JsonPropertyDescription("The process that has it open, where that is known.")
        VfioDeviceHolder holder,
    @JsonPropertyDescription(
            "The DeviceMigration that has claimed it, as namespace/name, or its uid/attempt.")
        String claimedBy,
    @JsonPropertyDescription(
            "What its workload does: RUNNING, PAUSED, WAITING (for a device) or RELEASED.")
        String workload,
    @JsonPropertyDescription(
            "It can be moved, or be the destination of a move once a workload waits for it.")
        @Required
        boolean migratable,
    @JsonPropertyDescription("Why it cannot be moved, or not yet.") String problem) {

  public VfioDevice {
    flags = flags == null ? List.of() : List.copyOf(flags);
  }
}
