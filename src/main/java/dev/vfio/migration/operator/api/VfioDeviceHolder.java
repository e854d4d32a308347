package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** The process that holds a device. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record VfioDeviceHolder(
    @JsonPropertyDescription("Its process id on the node.") Long pid,
    @JsonPropertyDescription("Name of its program.") String command,
    @JsonPropertyDescription("Its cgroup, below the hierarchy's root.") String cgroup,
    @JsonPropertyDescription("Its user id on the node.") Long user,
    @JsonPropertyDescription(
            "It runs a virtual machine, which must be moved by its own means, device included.")
        Boolean virtualMachineMonitor) {}
