/**
 * Which tests a run of Maven skipped, from its reports; the tests of this package look at the
 * classes of all modules. Uses nothing but the JDK, because ./test runs it as a source file.
 */
package dev.vfio.migration.sandbox.checks;
