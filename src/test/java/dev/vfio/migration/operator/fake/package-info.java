/**
 * Hand-written stand-ins for what lies beyond the operator's boundaries: node agents as real gRPC
 * servers, the API server's store, certificates.
 */
package dev.vfio.migration.operator.fake;
