package dev.vfio.migration.vfio.freezer;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The folders of a cgroup and of the cgroups below, from the top. Others make and remove folders
 * meanwhile, and a folder that cannot be listed counts as empty. For one thread.
 */
final class CgroupTree {
  private final Deque<Path> open = new ArrayDeque<>();

  CgroupTree(Path top) {
    open.add(top);
  }

  boolean hasNext() {
    return !open.isEmpty();
  }

  Path next() {
    Path folder = open.remove();
    try (DirectoryStream<Path> below = Files.newDirectoryStream(folder)) {
      for (Path file : below) {
        if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
          open.add(file);
        }
      }
    } catch (IOException | DirectoryIteratorException goneOrRefused) {
      // Folders below it cannot be seen.
      return folder;
    }
    return folder;
  }
}
