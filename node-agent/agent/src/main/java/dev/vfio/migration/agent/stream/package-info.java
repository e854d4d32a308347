/**
 * The state stream as sessions see it: a sender at the source, a sink at the destination, what can
 * go wrong, and the settings of both ends. {@code stream.netty} implements it; docs/state-stream.md
 * has the protocol. Nothing of Netty, TLS and sessions is known.
 */
package dev.vfio.migration.agent.stream;
