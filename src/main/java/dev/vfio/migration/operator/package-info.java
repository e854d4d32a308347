/**
 * The operator's program: its settings, what it refuses to start with, and the beans that depend on
 * the configuration. The container injects everything else by constructor. Decides nothing and
 * talks to nobody.
 */
package dev.vfio.migration.operator;
