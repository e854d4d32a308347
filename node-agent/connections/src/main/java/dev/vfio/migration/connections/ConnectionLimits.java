package dev.vfio.migration.connections;

import java.time.Duration;

/**
 * What the unknown connections of one port may hold.
 *
 * @param most in each {@linkplain NewConnections.Stage stage}, and four times as many silent ones,
 *     at least 1
 * @param mostPerAddress of these from one IPv4 address or one IPv6 /64, at least 1
 * @param answerTime within which a connection must have brought about an answer, from its beginning
 *     and from the first byte of each later request on; also where bytes trickle in all the time
 */
public record ConnectionLimits(int most, int mostPerAddress, Duration answerTime) {

  public ConnectionLimits {
    if (most < 1 || mostPerAddress < 1) {
      throw new IllegalArgumentException(
          "unknown connections: " + most + " in all, " + mostPerAddress + " per address");
    }
  }

  /**
   * File descriptors that the port's unknown connections hold at most: those of every stage, and as
   * many again for those that are being closed.
   */
  public int descriptors() {
    return NewConnections.Stage.shares() * most * 2;
  }

  @Override
  public String toString() {
    return most + " (" + mostPerAddress + " of one address)";
  }
}
