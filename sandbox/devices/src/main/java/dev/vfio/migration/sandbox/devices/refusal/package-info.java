/** How a refusal reaches the client: an errno, and a sentence for people. */
package dev.vfio.migration.sandbox.devices.refusal;
