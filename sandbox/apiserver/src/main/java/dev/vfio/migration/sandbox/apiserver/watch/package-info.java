/**
 * Running watches: a bounded queue for each between the store and its client, bookmarks and
 * timeouts. It knows the store and the stream, not the kinds.
 */
package dev.vfio.migration.sandbox.apiserver.watch;
