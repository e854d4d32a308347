/**
 * A spec, checked, with its defaults filled in, and what is wrong with one that cannot be carried
 * out. Pure. Of a migration's status it knows the reasons that conditions carry, and nothing else.
 */
package dev.vfio.migration.operator.spec;
