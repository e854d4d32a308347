/**
 * The device itself: its states, its pages, what it saves, what it loads, what it logs as dirty.
 */
package dev.vfio.migration.sandbox.devices.device;
