/**
 * HTTP/1.1 by Vert.x, the errors of the Kubernetes API, and the values that requests and answers
 * are. One event loop serves all connections and never blocks; requests run on a bounded pool of
 * threads. It knows nothing of objects and kinds but the names that errors have.
 */
package dev.vfio.migration.sandbox.apiserver.http;
