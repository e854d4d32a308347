package dev.vfio.migration.sandbox.apiserver.schema;

/**
 * One reason why an object is refused.
 *
 * @param reason machine-readable, for example {@code FieldValueRequired}
 * @param message for people, without the field's name
 * @param field path of the field, for example {@code spec.source.nodeName}
 */
public record Cause(String reason, String message, String field) {}
