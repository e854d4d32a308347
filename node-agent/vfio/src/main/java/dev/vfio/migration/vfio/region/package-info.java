/**
 * The 2018 migration interface: how its region is found, its packed structure, its five actions.
 */
package dev.vfio.migration.vfio.region;
