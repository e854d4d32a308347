package dev.vfio.migration.sandbox.devices.unixsocket;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Memory with a file descriptor that another process can map (memfd_create). It goes when the last
 * process that holds it goes; it has no name in any directory. The mapping stays readable after
 * {@link #close}.
 */
public final class SharedMemory implements AutoCloseable {
  private final int fd;
  private final ByteBuffer memory;

  private SharedMemory(int fd, ByteBuffer memory) {
    this.fd = fd;
    this.memory = memory;
  }

  /** Makes {@code size} bytes of zeros. */
  public static SharedMemory create(String name, int size) throws IOException {
    int fd = DescriptorCalls.memfd_create(name, DescriptorCalls.MFD_CLOEXEC);
    DescriptorCalls.ftruncate(fd, size);
    try (FileChannel channel =
        FileChannel.open(
            Path.of("/proc/self/fd/" + fd), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      return new SharedMemory(fd, channel.map(FileChannel.MapMode.READ_WRITE, 0, size));
    }
  }

  public int descriptor() {
    return fd;
  }

  public ByteBuffer memory() {
    return memory;
  }

  @Override
  public void close() {
    DescriptorCalls.close(fd);
  }
}
