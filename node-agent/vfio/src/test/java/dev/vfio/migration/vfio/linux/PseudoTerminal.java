package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A character device of its own that anybody may have made: it stands for one of the kernel's
 * drivers where a test needs a real node, with a device number that no other file has. It is named
 * by a number, as the node of an IOMMU group is. It exists until it is closed.
 */
public final class PseudoTerminal implements AutoCloseable {
  private static final int O_NOCTTY = 0x100;
  private static final int TIOCGPTN = 0x80045430;
  private static final int TIOCSPTLCK = 0x40045431;

  private final Descriptor master;
  private final int number;

  private PseudoTerminal(Descriptor master, int number) {
    this.master = master;
    this.number = number;
  }

  public static PseudoTerminal make() throws IOException {
    byte[] path = "/dev/ptmx\0".getBytes(StandardCharsets.UTF_8);
    int fd = LibC.open(path, LibC.O_RDWR | LibC.O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
      throw new ErrnoException("open(/dev/ptmx)", LibC.lastErrno());
    }
    ByteBuffer argument = ByteBuffer.allocateDirect(4).order(ByteOrder.nativeOrder());
    if (LibC.ioctl(fd, TIOCSPTLCK, LibC.addressOf(argument)) < 0
        || LibC.ioctl(fd, TIOCGPTN, LibC.addressOf(argument)) < 0) {
      throw new ErrnoException("a pseudo terminal", LibC.lastErrno());
    }
    return new PseudoTerminal(new Descriptor(fd), argument.getInt(0));
  }

  /** What its node is called. */
  public int number() {
    return number;
  }

  public Path node() {
    return Path.of("/dev/pts", Integer.toString(number));
  }

  /** As sysfs writes a device number, read by other means than those under test. */
  public String deviceNumber() throws IOException {
    long number = (Long) Files.getAttribute(node(), "unix:rdev");
    long major = number >>> 8 & 0xfff;
    long minor = number & 0xff | number >>> 12 & 0xfff00;
    return major + ":" + minor;
  }

  @Override
  public void close() {
    master.close();
  }
}
