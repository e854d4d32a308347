package dev.vfio.migration.vfio.freezer;

import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/** The unified hierarchy of cgroups. Safe for use by several threads. */
public final class Cgroups {
  private final Path root;
  private final Processes processes;

  /** Folder of this process's cgroup namespace; null before the first search. */
  private volatile Optional<Path> ownRoot;

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
   * The cgroup that lists the process: its own, or the nearest one above that is not threaded. The
   * path in {@code /proc} counts from the root of the reader's cgroup namespace, which may be
   * another than that of the mounted hierarchy: it is believed where the cgroup lists the process,
   * else the hierarchy is searched. Other cgroups that vanish meanwhile, or refuse to be looked at,
   * are passed over.
   *
   * @return empty where no cgroup of the hierarchy lists it
   */
  Optional<Cgroup> of(long process) throws IOException {
    String named = processes.cgroup(process);
    Optional<Cgroup> found = listing(fromMountedRoot(named), process);
    if (found.isEmpty()) {
      found = listing(fromOwnRoot(named), process);
    }
    return found.isPresent() ? found : search(process);
  }

  private Optional<Cgroup> listing(Optional<Path> likely, long process) throws IOException {
    if (likely.isEmpty()) {
      return Optional.empty();
    }
    Cgroup cgroup = domain(of(likely.get()));
    return lists(cgroup, process) ? Optional.of(cgroup) : Optional.empty();
  }

  private Optional<Cgroup> search(long process) throws IOException {
    for (CgroupTree folders = new CgroupTree(root); folders.hasNext(); ) {
      Cgroup cgroup = of(folders.next());
      if (lists(cgroup, process)) {
        return Optional.of(cgroup);
      }
    }
    return Optional.empty();
  }

  /**
   * Bytes of memory that this process may have, by the limits of its cgroup and those above it,
   * besides what programs there hold already and the kernel cannot take from them.
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
        if (text.matches("[0-9]+")) {
          limit = Math.min(limit, Math.max(0, Long.parseLong(text) - anonymous(one)));
        }
      }
    }
    return limit;
  }

  private static long anonymous(Path cgroup) throws IOException {
    for (String line : Files.readAllLines(cgroup.resolve("memory.stat"))) {
      if (line.startsWith("anon ")) {
        return Long.parseLong(line.substring("anon ".length()).strip());
      }
    }
    return 0;
  }

  /**
   * The path of the cgroup that lists the processes of one: as it is given, or that of the one
   * above it where it has threads only.
   *
   * @param named as {@code /proc} gives it
   */
  public String domain(String named) throws IOException {
    Optional<Path> likely = fromMountedRoot(named);
    if (likely.filter(Files::isDirectory).isEmpty()) {
      likely = fromOwnRoot(named);
    }
    return likely.isPresent() && of(likely.get()).threaded()
        ? domain(of(likely.get())).path()
        : named;
  }

  private Cgroup domain(Cgroup cgroup) throws IOException {
    Cgroup domain = cgroup;
    while (!isRoot(domain) && domain.threaded()) {
      domain = of(domain.directory().getParent());
    }
    return domain;
  }

  /** The folder of a path, if the mounted hierarchy begins where this process's namespace does. */
  private Optional<Path> fromMountedRoot(String named) {
    return beneathRoot(root, named);
  }

  /** The folder of a path that counts from the root of this process's namespace. */
  private Optional<Path> fromOwnRoot(String named) throws IOException {
    Optional<Path> own = ownRoot;
    if (own == null) {
      own = findOwnRoot();
      ownRoot = own;
    }
    return own.flatMap(folder -> beneathRoot(folder, named));
  }

  private Optional<Path> beneathRoot(Path from, String named) {
    Path folder = from.resolve("." + named).normalize();
    return named.startsWith("/") && folder.startsWith(root)
        ? Optional.of(folder)
        : Optional.empty();
  }

  /** Finds this process once, so that no other process has to be searched for. */
  private Optional<Path> findOwnRoot() throws IOException {
    long self;
    try {
      self = processes.self();
    } catch (NoSuchFileException proc) {
      // The mounted proc is that of a process namespace that this process is not in.
      return Optional.empty();
    }
    Path named = Path.of("." + processes.cgroup(self)).normalize();
    Optional<Path> own = search(self).map(Cgroup::directory);
    if (own.isEmpty() || named.toString().isEmpty()) {
      return own;
    }
    Path above = own.get();
    for (int names = named.getNameCount(); names > 0 && above != null; names--) {
      above = above.getParent();
    }
    return own.get().endsWith(named) ? Optional.ofNullable(above) : Optional.empty();
  }

  private Cgroup of(Path folder) {
    return new Cgroup("/" + root.relativize(folder), folder);
  }

  private static boolean lists(Cgroup cgroup, long process) throws ErrnoException {
    try {
      return cgroup.processes().contains(process);
    } catch (ErrnoException failure) {
      if (KernelText.isOwnShortage(failure)) {
        throw failure;
      }
      return false;
    }
  }
}
