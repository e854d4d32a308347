/**
 * The state stream over TLS connections, with Netty: framing, checksums, digests, authentication,
 * bandwidth, and memory that is bounded at both ends. It delivers to the {@code StateSink} that a
 * session hands in, and knows nothing of sessions, devices and journals.
 *
 * <p>At the source {@code NettyStateSender} gives each buffer to the {@code FrameWriter} of a
 * connection. At the destination a {@code ConnectionReader} reads for its {@code
 * DestinationConnection}, whose {@code DeliveryThread} brings the frames, in order, through the
 * migration's {@code Reception} to the sink.
 */
package dev.vfio.migration.agent.stream.netty;
