/**
 * One class per kind of request: from the path and body of a request to its answer. It uses all
 * other packages; none but the server itself uses it.
 */
package dev.vfio.migration.sandbox.apiserver.request;
