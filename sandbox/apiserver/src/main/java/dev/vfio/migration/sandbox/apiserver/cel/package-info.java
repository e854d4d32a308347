/**
 * The rules of x-kubernetes-validations, compiled and run. Of the function libraries that
 * Kubernetes adds to CEL only the one for strings is there. It knows schemas and values, not kinds.
 */
package dev.vfio.migration.sandbox.apiserver.cel;
