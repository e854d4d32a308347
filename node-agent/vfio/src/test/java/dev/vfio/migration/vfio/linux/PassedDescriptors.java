package dev.vfio.migration.vfio.linux;

import java.nio.file.Path;

/** Opens files for a test's server to pass on. */
public final class PassedDescriptors {

  private PassedDescriptors() {}

  public static Descriptor open(Path path, boolean writable) throws ErrnoException {
    return Descriptor.open(path, writable);
  }
}
