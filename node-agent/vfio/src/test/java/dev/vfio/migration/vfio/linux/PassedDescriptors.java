package dev.vfio.migration.vfio.linux;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Opens files for a test's server to pass on. */
public final class PassedDescriptors {

  private PassedDescriptors() {}

  public static Descriptor open(Path path, boolean writable) throws ErrnoException {
    return Descriptor.open(path, writable);
  }

  /** One that only names a file. */
  public static Descriptor naming(Path path) throws ErrnoException {
    byte[] name = (path + "\0").getBytes(StandardCharsets.UTF_8);
    int fd = LibC.open(name, LibC.O_PATH | LibC.O_CLOEXEC);
    if (fd < 0) {
      throw new ErrnoException("open(" + path + ")", LibC.lastErrno());
    }
    return new Descriptor(fd);
  }

  /** Its number in this process. */
  public static int number(Descriptor descriptor) {
    return descriptor.number();
  }
}
