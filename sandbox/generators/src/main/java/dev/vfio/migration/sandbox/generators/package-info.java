/**
 * Seeded values for tests: {@link dev.vfio.migration.sandbox.generators.Seeds} checks a property
 * once for each of many seeds, and {@link dev.vfio.migration.sandbox.generators.Generator} draws
 * the values that belong to one seed. Every module uses this package in test scope only.
 *
 * <p>It may know nothing but the JDK: no test library, and no other package of this project.
 */
package dev.vfio.migration.sandbox.generators;
