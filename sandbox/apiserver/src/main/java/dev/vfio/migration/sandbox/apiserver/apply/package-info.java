/**
 * Server-side apply: which manager owns which field (metadata.managedFields), how a configuration
 * is merged into an object, and what is a conflict. It works on trees and schemas; it knows no
 * requests and no store.
 */
package dev.vfio.migration.sandbox.apiserver.apply;
