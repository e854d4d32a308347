/**
 * Structural schemas: reading them, checking them, and what they do to values: unknown fields,
 * defaults, validation. It knows no kinds.
 */
package dev.vfio.migration.sandbox.apiserver.schema;
