package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;

/**
 * What the user asks for. Immutable once the API server has accepted it, except {@code cancel}
 * (false to true), {@code switchover} (Manual to Automatic) and {@code takeBack} (set once).
 *
 * <p>Every component may be null: the CRD's defaults and required fields are the API server's to
 * enforce, and an object that was stored under another schema must still be readable. {@code
 * spec.Settings} turns this into checked, typed values.
 *
 * @param unreadable why this spec could not be read, or null when it could; never written
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonIgnoreProperties(ignoreUnknown = true)
@JsonDeserialize(using = TolerantReader.OfSpec.class)
@ValidationRule(
    value =
        "self.source.nodeName != self.destination.nodeName || self.source.device !="
            + " self.destination.device",
    message =
        "source and destination name the same device: a device cannot be migrated onto itself",
    reason = "FieldValueInvalid",
    fieldPath = ".destination")
@ValidationRule(
    value =
        "self.source.nodeName != self.destination.nodeName || self.source.device =="
            + " self.destination.device",
    message = "source and destination must be on different nodes",
    reason = "FieldValueInvalid",
    fieldPath = ".destination.nodeName")
@ValidationRule(
    value = "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
    message = "a cancellation cannot be withdrawn: cancel may only change from false to true",
    reason = "FieldValueForbidden",
    fieldPath = ".cancel")
@ValidationRule(
    value =
        "!has(oldSelf.switchover) || oldSelf.switchover != 'Automatic' || (has(self.switchover) &&"
            + " self.switchover == 'Automatic')",
    message = "switchover may only change from Manual to Automatic",
    reason = "FieldValueForbidden",
    fieldPath = ".switchover")
@ValidationRule(
    value = "!has(oldSelf.takeBack) || (has(self.takeBack) && self.takeBack == oldSelf.takeBack)",
    message = "takeBack cannot be withdrawn or changed",
    reason = "FieldValueForbidden",
    fieldPath = ".takeBack")
@ValidationRule(
    value =
        "has(self.ttlSecondsAfterFinished) == has(oldSelf.ttlSecondsAfterFinished) &&"
            + " (!has(self.ttlSecondsAfterFinished) || self.ttlSecondsAfterFinished =="
            + " oldSelf.ttlSecondsAfterFinished)",
    message = "ttlSecondsAfterFinished is immutable",
    reason = "FieldValueForbidden",
    fieldPath = ".ttlSecondsAfterFinished")
public record DeviceMigrationSpec(
    @JsonPropertyDescription("The device whose state is moved, and the node it runs on. Immutable.")
        @Required
        @ValidationRule(
            value = "self == oldSelf",
            message = "source is immutable: delete this migration and create another",
            reason = "FieldValueForbidden")
        DeviceLocation source,
    @JsonPropertyDescription(
            "The device that takes the state over, and its node. Must be of the same model and not"
                + " in use. Immutable.")
        @Required
        @ValidationRule(
            value = "self == oldSelf",
            message = "destination is immutable: delete this migration and create another",
            reason = "FieldValueForbidden")
        DeviceLocation destination,
    @JsonPropertyDescription(
            "When the copy is good enough to pause the workload, and what to do when it never is."
                + " Immutable.")
        @Default("{}")
        @ValidationRule(
            value = "self == oldSelf",
            message = "convergence is immutable: delete this migration and create another",
            reason = "FieldValueForbidden")
        Convergence convergence,
    @JsonPropertyDescription("How the state travels from node to node. Immutable.")
        @Default("{}")
        @ValidationRule(
            value = "self == oldSelf",
            message = "transfer is immutable: delete this migration and create another",
            reason = "FieldValueForbidden")
        Transfer transfer,
    @JsonPropertyDescription(
            "How long each phase may last. A phase that lasts longer before the handover rolls the"
                + " migration back; after the handover it only asks for a person. Immutable.")
        @Default("{}")
        @ValidationRule(
            value = "self == oldSelf",
            message = "timeouts is immutable: delete this migration and create another",
            reason = "FieldValueForbidden")
        Timeouts timeouts,
    @JsonPropertyDescription(
            "Set to true to cancel: the workload goes on at the source. Has no effect once"
                + " status.handover is Committed. Cannot be set back to false.")
        @Default("false")
        Boolean cancel,
    @JsonPropertyDescription(
            "Automatic: switch over as soon as the copy has converged. Manual: hold the converged"
                + " copy until this field is changed to Automatic. Cannot be changed back to"
                + " Manual.")
        @Default("Automatic")
        Switchover switchover,
    @JsonPropertyDescription(
            "Seconds after which a finished migration (Succeeded, Failed, Cancelled) is deleted. 0"
                + " deletes it at once. Unset keeps it. Immutable.")
        @Min(0)
        @Max(315360000)
        Integer ttlSecondsAfterFinished,
    @JsonPropertyDescription(
            "Why the source is to run again although the handover is Committed: for a destination"
                + " whose device lost the state or will not run, and whose workload never ran with"
                + " it. Where that is not certain it is refused, and the condition Succeeded says"
                + " why. Recorded in status.rollback and in an event. Set once, in phase"
                + " ActionRequired.")
        @Size(min = 1, max = 256)
        String takeBack,
    @JsonIgnore String unreadable) {

  /** A spec that could not be read, and why; its two ends where those could, otherwise null. */
  static DeviceMigrationSpec unreadable(
      DeviceLocation source, DeviceLocation destination, String why) {
    return new DeviceMigrationSpec(
        source, destination, null, null, null, null, null, null, null, why);
  }
}
