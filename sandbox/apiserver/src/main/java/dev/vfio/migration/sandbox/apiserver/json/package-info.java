/**
 * The operations on JSON trees that every part of the server shares. It knows nothing of Kubernetes
 * but that an object has metadata.
 */
package dev.vfio.migration.sandbox.apiserver.json;
