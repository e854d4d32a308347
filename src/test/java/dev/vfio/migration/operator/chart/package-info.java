/**
 * The Helm chart, rendered by Helm itself and with no cluster: what it sets, what it refuses, and
 * that no key is in it. Reads the chart and the examples as files.
 */
package dev.vfio.migration.operator.chart;
