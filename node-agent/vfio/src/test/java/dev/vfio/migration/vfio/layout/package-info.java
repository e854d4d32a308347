/**
 * Compares our offsets, sizes and numbers with what a C compiler makes of the kernel's headers. For
 * tests of every package that has a layout; knows none of them.
 */
package dev.vfio.migration.vfio.layout;
