/** The few system calls this library needs, with ownership of what they hand out. */
package dev.vfio.migration.vfio.linux;
