package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** What is still to be copied, in bytes. Estimates of the device: they may rise. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record PendingBytes(
    @JsonPropertyDescription(
            "Device state that must be copied before the destination runs: pending.precopy_only."
                + " Bytes.")
        long precopyOnly,
    @JsonPropertyDescription(
            "Device state that may be copied at any time: pending.compatible. Bytes.")
        long compatible,
    @JsonPropertyDescription(
            "Device state that can only be copied once the workload is paused:"
                + " pending.postcopy_only. Bytes.")
        long postcopyOnly,
    @JsonPropertyDescription(
            "Memory of the workload (DMA windows) still to be sent in this round. Bytes.")
        long memory,
    @JsonPropertyDescription("The sum of all four. Bytes.") long total,
    @JsonPropertyDescription("The total for people, such as 12.5Mi.") String summary) {}
