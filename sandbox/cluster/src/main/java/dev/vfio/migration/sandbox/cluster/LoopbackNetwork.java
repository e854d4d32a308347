package dev.vfio.migration.sandbox.cluster;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.security.SecureRandom;
import java.util.Random;

/**
 * A /24 out of 127.0.0.0/8, so that every node has an address of its own with the usual ports, and
 * several sandboxes fit on one machine.
 *
 * @param prefix the first three numbers, "127.x.y"
 */
public record LoopbackNetwork(String prefix) {
  private static final int ATTEMPTS = 100;

  /** A network in which no process listens on the ports of an agent. */
  public static LoopbackNetwork choose() throws IOException {
    Random random = new SecureRandom();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      LoopbackNetwork network =
          new LoopbackNetwork("127." + (1 + random.nextInt(254)) + "." + (1 + random.nextInt(254)));
      if (network.free()) {
        return network;
      }
    }
    throw new IOException(
        "no free addresses on the loopback interface after " + ATTEMPTS + " attempts");
  }

  public String address(int host) {
    return prefix + "." + host;
  }

  private boolean free() {
    for (int port :
        new int[] {SandboxNode.CONTROL_PORT, SandboxNode.STATE_PORT, SandboxNode.HEALTH_PORT}) {
      // An own port on all addresses is refused as well as one on this very address.
      try (ServerSocket probe = new ServerSocket()) {
        probe.bind(new InetSocketAddress(InetAddress.getByName(address(11)), port));
      } catch (IOException taken) {
        return false;
      }
    }
    return true;
  }
}
