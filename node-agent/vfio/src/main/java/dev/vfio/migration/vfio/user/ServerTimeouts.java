package dev.vfio.migration.vfio.user;

import java.time.Duration;

/**
 * How long a server is waited for. A connection that is not answered in time is given up, and what
 * the server did meanwhile is not known.
 *
 * @param toConnect for a look at a device, or for opening it: the connection, the handshake, the
 *     questions about each of its regions and the reading of its state, together
 * @param toAnswer for each access to a region and for a reset of an open device; a change of state
 *     is one access, and a device may take long for it
 */
public record ServerTimeouts(Duration toConnect, Duration toAnswer) {
  public static final ServerTimeouts DEFAULT =
      new ServerTimeouts(Duration.ofSeconds(5), Duration.ofSeconds(60));
}
