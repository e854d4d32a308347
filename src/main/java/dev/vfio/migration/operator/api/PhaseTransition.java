package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;

/** When a phase was entered. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
public record PhaseTransition(
    @JsonPropertyDescription("The phase that was entered.") @Required Phase phase,
    @JsonPropertyDescription("When, by the operator's clock (RFC 3339, milliseconds).") @Required
        String time) {}
