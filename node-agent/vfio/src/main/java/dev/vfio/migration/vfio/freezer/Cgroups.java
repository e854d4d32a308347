package dev.vfio.migration.vfio.freezer;

import dev.vfio.migration.vfio.holder.Processes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** The unified hierarchy of cgroups. Safe for use by several threads. */
public final class Cgroups {
  private static final String NAMESPACE_ABOVE = "..";

  private final Path root;
  private final Processes processes;

  /**
   * Does no I/O but look which of two customary places it is.
   *
   * @param directory where the unified hierarchy is mounted, or the folder of a hybrid machine that
   *     has it at {@code unified}
   */
  public Cgroups(Path directory, Processes processes) {
    Path hybrid = directory.resolve("unified");
    this.root = isHierarchy(directory) || !isHierarchy(hybrid) ? directory : hybrid;
    this.processes = processes;
  }

  private static boolean isHierarchy(Path directory) {
    return Files.exists(directory.resolve("cgroup.controllers"));
  }

  /**
   * The cgroup of that path from the root.
   *
   * @throws IllegalArgumentException where the path leads out of the hierarchy
   */
  Cgroup at(String path) {
    Path directory = root.resolve(path.substring(1)).normalize();
    if (!path.startsWith("/") || !directory.startsWith(root)) {
      throw new IllegalArgumentException("not a path of a cgroup: " + path);
    }
    return new Cgroup(path, directory);
  }

  boolean isRoot(Cgroup cgroup) {
    return cgroup.directory().equals(root);
  }

  /**
   * The cgroup that the process is in. What {@code /proc} says counts from the root of the reader's
   * cgroup namespace, which may be another than that of the mounted hierarchy: it is believed where
   * the cgroup lists the process, else the hierarchy is searched.
   *
   * @return empty where no cgroup of the hierarchy lists it
   */
  Optional<Cgroup> of(long process) throws IOException {
    String told = processes.cgroup(process);
    if (told.startsWith("/") && !told.contains("/" + NAMESPACE_ABOVE)) {
      Cgroup likely = at(told);
      if (likely.exists() && lists(likely, process)) {
        return Optional.of(likely);
      }
    }
    try (Stream<Path> folders = Files.walk(root)) {
      for (Path folder : (Iterable<Path>) folders.filter(Files::isDirectory)::iterator) {
        Cgroup cgroup = new Cgroup("/" + root.relativize(folder), folder);
        if (lists(cgroup, process)) {
          return Optional.of(cgroup);
        }
      }
    }
    return Optional.empty();
  }

  /**
   * Bytes of memory that this process may have by the limits of its cgroup and those above it.
   *
   * @return {@link Long#MAX_VALUE} where there is no limit, or none can be seen
   */
  public long memoryLimit() throws IOException {
    Optional<Cgroup> own = of(processes.self());
    long limit = Long.MAX_VALUE;
    if (own.isPresent()) {
      for (Path one = own.get().directory(); one.startsWith(root); one = one.getParent()) {
        Path most = one.resolve("memory.max");
        String text = Files.exists(most) ? Files.readString(most).strip() : "max";
        limit = text.matches("[0-9]+") ? Math.min(limit, Long.parseLong(text)) : limit;
      }
    }
    return limit;
  }

  private static boolean lists(Cgroup cgroup, long process) throws IOException {
    return Files.exists(cgroup.directory().resolve("cgroup.procs"))
        && cgroup.processes().contains(process);
  }
}
