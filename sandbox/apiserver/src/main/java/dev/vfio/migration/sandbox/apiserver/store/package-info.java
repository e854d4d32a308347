/**
 * All objects under one revision counter, with the history that watches start from, selectors, and
 * a journal that survives the process. It knows no kinds and no schemas.
 */
package dev.vfio.migration.sandbox.apiserver.store;
