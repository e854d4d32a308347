package dev.vfio.migration.connections;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;

/**
 * Whom connections are counted for: one IPv4 address, or the /64 that an IPv6 address is of,
 * because whoever has one address there has all of them. What is not connected by IP is one block.
 *
 * @param bytes of the address, 4 or 8 of them; 0 where there is none
 * @param bits those bytes
 */
record AddressBlock(int bytes, long bits) {

  static AddressBlock of(SocketAddress remote) {
    return remote instanceof InetSocketAddress internet && internet.getAddress() != null
        ? of(internet.getAddress())
        : new AddressBlock(0, 0);
  }

  static AddressBlock of(InetAddress address) {
    ByteBuffer bytes = ByteBuffer.wrap(address.getAddress());
    return bytes.remaining() == Integer.BYTES
        ? new AddressBlock(Integer.BYTES, bytes.getInt())
        : new AddressBlock(Long.BYTES, bytes.getLong());
  }
}
