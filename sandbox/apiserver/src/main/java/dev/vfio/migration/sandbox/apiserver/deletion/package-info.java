/**
 * Deletion by client and by garbage collector: finalizers, owners and their dependents, the content
 * of namespaces, the objects of definitions. It knows the store and the kinds, not the requests.
 */
package dev.vfio.migration.sandbox.apiserver.deletion;
