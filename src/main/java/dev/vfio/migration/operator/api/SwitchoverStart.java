package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;

/**
 * What was known when the pause began; the limit of SwitchingOver is computed from it. Recorded
 * once and kept, so that a device whose figures rise cannot postpone its own limit.
 */
@JsonIgnoreProperties(ignoreUnknown = true)
public record SwitchoverStart(
    @JsonPropertyDescription("Bytes that were to be copied while the workload is paused.") @Required
        long pendingBytes,
    @JsonPropertyDescription("Payload bytes that had been sent by then.") @Required
        long transferredBytes) {}
