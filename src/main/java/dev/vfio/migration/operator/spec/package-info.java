/**
 * A spec, checked, with its defaults filled in, and what is wrong with one that cannot be carried
 * out. Pure. Knows nothing of a migration's status.
 */
package dev.vfio.migration.operator.spec;
