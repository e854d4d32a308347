/** The VFIO devices of this node as its kernel shows them: listed, looked at, opened. */
package dev.vfio.migration.vfio.node;
