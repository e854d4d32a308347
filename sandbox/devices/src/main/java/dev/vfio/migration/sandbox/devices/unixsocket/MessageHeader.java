package dev.vfio.migration.sandbox.devices.unixsocket;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What sendmsg takes, laid out as on 64-bit Linux:
 *
 * <pre>
 * struct iovec   { void *iov_base; size_t iov_len; };
 * struct msghdr  { void *msg_name; socklen_t msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
 *                  void *msg_control; size_t msg_controllen; int msg_flags; };
 * struct cmsghdr { size_t cmsg_len; int cmsg_level; int cmsg_type; };   followed by the data
 * </pre>
 *
 * One header with room for two pieces of data and one file descriptor. Not thread-safe.
 */
final class MessageHeader {
  static final int MSG_IOV = 16;
  static final int MSG_IOVLEN = 24;
  static final int MSG_CONTROL = 32;
  static final int MSG_CONTROLLEN = 40;
  static final int MSGHDR_SIZE = 56;
  static final int IOV_BASE = 0;
  static final int IOV_LEN = 8;
  static final int IOVEC_SIZE = 16;
  static final int CMSG_LEN = 0;
  static final int CMSG_LEVEL = 8;
  static final int CMSG_TYPE = 12;
  static final int CMSG_DATA = 16;

  private static final int PIECES = 2;
  private static final int PIECES_AT = 64;
  private static final int CONTROL_AT = PIECES_AT + PIECES * IOVEC_SIZE;
  private static final int CONTROL_LENGTH = CMSG_DATA + Integer.BYTES; // CMSG_LEN(sizeof(int))
  private static final int CONTROL_SPACE = CMSG_DATA + Long.BYTES; // CMSG_SPACE(sizeof(int))

  private final ByteBuffer memory =
      ByteBuffer.allocateDirect(CONTROL_AT + CONTROL_SPACE).order(ByteOrder.nativeOrder());
  private final long address = DescriptorCalls.addressOf(memory);

  MessageHeader() {
    memory.putLong(MSG_IOV, address + PIECES_AT);
    memory.putInt(CONTROL_AT + CMSG_LEVEL, DescriptorCalls.SOL_SOCKET);
    memory.putInt(CONTROL_AT + CMSG_TYPE, DescriptorCalls.SCM_RIGHTS);
    memory.putLong(CONTROL_AT + CMSG_LEN, CONTROL_LENGTH);
  }

  long address() {
    return address;
  }

  /** Says what to send: one or two pieces ({@code secondLength} 0 for one). */
  void pieces(long first, long firstLength, long second, long secondLength) {
    int count = 0;
    if (firstLength > 0) {
      piece(count++, first, firstLength);
    }
    if (secondLength > 0) {
      piece(count++, second, secondLength);
    }
    memory.putLong(MSG_IOVLEN, count);
  }

  /** Says which file descriptor goes along; a negative one for none. */
  void descriptor(int fd) {
    memory.putInt(CONTROL_AT + CMSG_DATA, fd);
    memory.putLong(MSG_CONTROL, fd < 0 ? 0 : address + CONTROL_AT);
    memory.putLong(MSG_CONTROLLEN, fd < 0 ? 0 : CONTROL_SPACE);
  }

  private void piece(int index, long base, long length) {
    memory.putLong(PIECES_AT + index * IOVEC_SIZE + IOV_BASE, base);
    memory.putLong(PIECES_AT + index * IOVEC_SIZE + IOV_LEN, length);
  }
}
