/**
 * What clients ask before they work: groups, versions and kinds, and the OpenAPI documents that
 * describe them. It only reads the registry of kinds.
 */
package dev.vfio.migration.sandbox.apiserver.discovery;
