package dev.vfio.migration.vfio.holder;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The processes that this one can see, by {@code /proc}. Every answer is read anew. Safe for use by
 * several threads.
 *
 * <p>Source: {@code proc(5)}.
 */
public final class Processes {
  private static final int PARENT = 1;
  private static final int START_TIME = 19;
  private static final int CAP_SYS_PTRACE = 19;
  private static final String UNIFIED = "0::";
  private static final String NUMBERS = "NSpid:";

  private final Path proc;

  /**
   * @param proc where proc is mounted: {@code /proc}, of the machine's own process namespace
   */
  public Processes(Path proc) {
    this.proc = proc;
  }

  /** Numbers of all processes. */
  List<Long> all() throws IOException {
    List<Long> numbers = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(proc, "[0-9]*")) {
      for (Path entry : entries) {
        numbers.add(Long.valueOf(entry.getFileName().toString()));
      }
    } catch (DirectoryIteratorException failure) {
      throw failure.getCause();
    }
    return numbers;
  }

  /** This process's own number, as it is seen here. */
  public long self() throws IOException {
    return Long.parseLong(Files.readSymbolicLink(proc.resolve("self")).toString());
  }

  /** Whether this process has CAP_SYS_PTRACE. */
  boolean selfMayTrace() throws IOException {
    Optional<String> status = text(proc.resolve("self").resolve("status"));
    for (String line : status.orElse("").split("\n")) {
      if (line.startsWith("CapEff:")) {
        long capabilities = Long.parseUnsignedLong(line.substring("CapEff:".length()).strip(), 16);
        return (capabilities >>> CAP_SYS_PTRACE & 1) == 1;
      }
    }
    return false;
  }

  Path directory(long process) {
    return proc.resolve(Long.toString(process));
  }

  /**
   * When the process was started, in clock ticks since the machine was: with its number this
   * distinguishes a process from every other. Empty where it has ended, reaped or not.
   */
  public OptionalLong startTime(long process) throws IOException {
    List<String> fields = status(process);
    return fields.isEmpty() || "ZX".contains(fields.get(0))
        ? OptionalLong.empty()
        : OptionalLong.of(Long.parseLong(fields.get(START_TIME)));
  }

  /**
   * A process's numbers in this namespace and in each one below that it is in, its own last. Empty
   * where it has ended.
   */
  public Set<Long> numbers(long process) throws IOException {
    Set<Long> numbers = new LinkedHashSet<>();
    Optional<String> status = text(directory(process).resolve("status"));
    status.ifPresent(any -> numbers.add(process));
    for (String line : status.orElse("").split("\n")) {
      if (line.startsWith(NUMBERS)) {
        for (String number : line.substring(NUMBERS.length()).strip().split("\\s+")) {
          numbers.add(Long.valueOf(number));
        }
      }
    }
    return numbers;
  }

  /** Whether the process with that number is the one that was started then, and has not ended. */
  public boolean lives(long process, long startTime) throws IOException {
    OptionalLong now = startTime(process);
    return now.isPresent() && now.getAsLong() == startTime;
  }

  /**
   * Pins a process, and then makes sure that it is the one that was meant.
   *
   * @param startTime of the process that is meant
   * @throws ErrnoException ESRCH where it has ended, also where another process has its number now
   */
  public ProcessDescriptor pinned(long number, long startTime) throws IOException {
    ProcessDescriptor process = ProcessDescriptor.open(number);
    try {
      if (!lives(number, startTime) || process.ended()) {
        throw new ErrnoException(
            "the process with number " + number + " is another one now; the look at it",
            Errno.ESRCH.number());
      }
      return process;
    } catch (Throwable failure) {
      process.close();
      throw failure;
    }
  }

  /** The number of its parent; empty where it has ended. */
  OptionalLong parent(long process) throws IOException {
    List<String> fields = status(process);
    return fields.isEmpty()
        ? OptionalLong.empty()
        : OptionalLong.of(Long.parseLong(fields.get(PARENT)));
  }

  /** Whether {@code descendant} descends from {@code ancestor}, or is it. */
  boolean isAncestor(long ancestor, long descendant) throws IOException {
    long line = descendant;
    while (line != ancestor && line > 1) {
      OptionalLong parent = parent(line);
      line = parent.isPresent() ? parent.getAsLong() : 0;
    }
    return line == ancestor;
  }

  /** The fields of {@code stat} behind the command, from the state on. */
  private List<String> status(long process) throws IOException {
    Optional<String> line = text(directory(process).resolve("stat"));
    // The command may have brackets, spaces and line breaks in it; behind it there is none.
    int command = line.map(text -> text.lastIndexOf(") ")).orElse(-1);
    if (command < 0) {
      return List.of();
    }
    List<String> fields = List.of(line.get().substring(command + 2).split(" "));
    return fields.size() > START_TIME ? fields : List.of();
  }

  /** A process's name, as the kernel shortens it; empty where it has ended. */
  String command(long process) throws IOException {
    return text(directory(process).resolve("comm")).map(String::strip).orElse("");
  }

  /** The file name of its program; empty where it is not known. */
  String program(long process) throws IOException {
    try {
      String path = KernelText.link(directory(process).resolve("exe"));
      return path.substring(path.lastIndexOf('/') + 1);
    } catch (ErrnoException failure) {
      if (KernelText.isMissing(failure)) {
        return "";
      }
      throw failure;
    }
  }

  /** A process's effective user id; -1 where it has ended. */
  int user(long process) throws IOException {
    Optional<String> status = text(directory(process).resolve("status"));
    for (String line : status.orElse("").split("\n")) {
      if (line.startsWith("Uid:")) {
        return Integer.parseUnsignedInt(line.split("\\s+")[2]);
      }
    }
    return -1;
  }

  /**
   * A process's cgroup in the unified hierarchy, as {@code /proc} names it: from the root of the
   * reader's own cgroup namespace. Empty where it has ended or has none.
   */
  public String cgroup(long process) throws IOException {
    Optional<String> lines = text(directory(process).resolve("cgroup"));
    for (String line : lines.orElse("").split("\n")) {
      if (line.startsWith(UNIFIED)) {
        return line.substring(UNIFIED.length());
      }
    }
    return "";
  }

  /** A file of {@code /proc}; empty where its process has ended. */
  private static Optional<String> text(Path file) throws IOException {
    try {
      return Optional.of(KernelText.read(file));
    } catch (ErrnoException failure) {
      // A process that ends while its file is open answers ESRCH.
      if (KernelText.isMissing(failure)) {
        return Optional.empty();
      }
      throw failure;
    }
  }
}
