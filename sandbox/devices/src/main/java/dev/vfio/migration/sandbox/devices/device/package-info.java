/**
 * The device itself: its states, its pages, what it saves and loads, and what it logs as dirty. May
 * not know registers, sockets or messages.
 */
package dev.vfio.migration.sandbox.devices.device;
