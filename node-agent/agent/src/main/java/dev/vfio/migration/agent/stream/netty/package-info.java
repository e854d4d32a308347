/**
 * The state stream over TLS connections, with Netty: framing, checksums, digests, authentication,
 * bandwidth, and memory that is bounded at both ends. It delivers to the {@code StateSink} that a
 * session hands in, and knows nothing of sessions, devices and journals.
 */
package dev.vfio.migration.agent.stream.netty;
