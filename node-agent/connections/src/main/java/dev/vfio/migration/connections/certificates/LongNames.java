package dev.vfio.migration.connections.certificates;

/**
 * Lets Java's TLS take certificates and names of nodes that are longer than it takes by itself.
 * Java reads this once, so it is to be said before the first connection; what an administrator set
 * stays.
 */
public final class LongNames {
  private static final int MAX_MESSAGE_BYTES = 256 << 10;

  private LongNames() {}

  /** To be called by a process that connects, or is connected to, before the first connection. */
  public static void allow() {
    // A certificate that names each node of a large cluster is longer than 32 KiB.
    set("jdk.tls.maxHandshakeMessageSize", String.valueOf(MAX_MESSAGE_BYTES));
    // Otherwise a server has its clients keep the whole session, which has no room for a name of
    // more than 255 characters or for such a certificate: it sends an empty ticket then, and
    // clients end the connection. A node's name with the domain behind it has up to 277.
    set("jdk.tls.server.enableSessionTicketExtension", "false");
  }

  private static void set(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }
}
