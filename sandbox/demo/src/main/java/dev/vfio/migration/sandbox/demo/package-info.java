/**
 * The demo: one migration in a sandbox cluster, shown as it goes and judged at its end. Knows the
 * cluster; may not know the benchmark, the lab, or the code of operator, agent and vfio.
 */
package dev.vfio.migration.sandbox.demo;
