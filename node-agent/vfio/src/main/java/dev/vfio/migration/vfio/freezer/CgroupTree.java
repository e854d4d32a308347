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
 * The folders of a cgroup and of those below it, from the top. Others make and remove them
 * meanwhile, and may not let everybody look: a folder that cannot be listed has none below it here.
 * For one thread.
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
      // What is below it, and still there, is not ours to know.
      return folder;
    }
    return folder;
  }
}
