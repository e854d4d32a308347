/**
 * The types of patch and what each makes of an object, but for server-side apply. It knows schemas,
 * not requests or the store.
 */
package dev.vfio.migration.sandbox.apiserver.patch;
