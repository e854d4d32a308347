/**
 * What a kind is, as it is served in one version, and the registry of the kinds that are served at
 * the moment.
 */
package dev.vfio.migration.sandbox.apiserver.resource;
