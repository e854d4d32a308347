package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The names in a directory, and the errno where it cannot be listed. Safe for several threads. */
public final class DirectoryListing {
  private DirectoryListing() {}

  /**
   * All names, in the directory's order.
   *
   * @throws ErrnoException ENOENT, ENOTDIR or ESRCH where it does not exist, EACCES or EPERM where
   *     this process may not list it
   */
  public static List<String> names(Path directory) throws IOException {
    List<String> names = new ArrayList<>();
    try (Descriptor open =
            Descriptor.open(directory, LibC.O_RDONLY | RootDirectory.directoryOnly(), directory);
        DirectoryStream<Path> files = Files.newDirectoryStream(OpenFile.path(open))) {
      files.forEach(file -> names.add(file.getFileName().toString()));
      return names;
    } catch (DirectoryIteratorException failure) {
      throw reason(directory, failure.getCause());
    } catch (FileSystemException failure) {
      throw reason(directory, failure);
    }
  }

  /**
   * Finds the errno, which Java does not report: a directory that vanished or refused while it was
   * listed cannot be opened again either.
   */
  private static IOException reason(Path directory, IOException failure) throws ErrnoException {
    Descriptor.open(directory, LibC.O_RDONLY | RootDirectory.directoryOnly(), directory).close();
    return failure;
  }
}
