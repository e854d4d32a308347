/**
 * Tables of objects, as kubectl prints them: columns, the JSONPath that fills them, and ages in
 * short form.
 */
package dev.vfio.migration.sandbox.apiserver.table;
