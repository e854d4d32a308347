package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.GuardedFile;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import dev.vfio.migration.vfio.workload.DeclaredWindows.Declared;
import dev.vfio.migration.vfio.workload.DeclaredWindows.UnusableException;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The memory that a running workload declares in {@code memory.json}, duplicated from it. The
 * workload is not trusted: the file must be its own, each number must be memory that it has open
 * and could read itself, and large enough.
 */
final class DeclaredMemory implements AutoCloseable {
  private static final Set<String> MEMBERS = Set.of("protocol", "workload", "pid", "startTicks");
  private static final int MAX_BYTES = 1 << 20;
  private static final int ROOT = 0;

  private final Optional<GuardedFile> source;
  private final long process;
  private final long startTime;
  private final String workload;
  private final List<DmaWindow> windows;
  private final List<Descriptor> memory;

  private DeclaredMemory(
      Optional<GuardedFile> source,
      Holder holder,
      String workload,
      List<DmaWindow> windows,
      List<Descriptor> memory) {
    this.source = source;
    this.process = holder.process();
    this.startTime = holder.startTime();
    this.workload = workload;
    this.windows = List.copyOf(windows);
    this.memory = List.copyOf(memory);
  }

  /**
   * Reads the declaration and duplicates what it names.
   *
   * @param file of the declaration; where it is missing the workload has no memory that moves
   * @param writers tells who wrote it
   * @throws WorkloadException where it cannot be used; nothing was done to the workload
   */
  static DeclaredMemory of(
      Path file, Holder holder, Processes processes, int pageSize, DeclarationWriters writers)
      throws IOException {
    Optional<GuardedFile> text = text(file, holder);
    if (text.isEmpty()) {
      return new DeclaredMemory(text, holder, holder.command(), List.of(), List.of());
    }
    List<DmaWindow> windows = new ArrayList<>();
    List<Descriptor> memory = new ArrayList<>();
    boolean complete = false;
    try (ProcessDescriptor process = processes.pinned(holder.process(), holder.startTime())) {
      JsonNode declaration = StrictJson.object(text.get().content());
      requireProtocol(declaration);
      writers.require(file, text.get(), declaration, holder, processes);
      for (Declared window : DeclaredWindows.read(declaration, MEMBERS, "fd", pageSize)) {
        Descriptor duplicate = duplicate(process, window);
        memory.add(duplicate);
        requireUsable(duplicate, window);
        windows.add(
            new DmaWindow(
                window.shape().name(),
                window.shape().iova(),
                window.shape().size(),
                OpenFile.path(duplicate),
                window.logged(),
                Optional.of(duplicate)));
      }
      complete = true;
      String name = LineConnection.quoted(declaration.path("workload").asText(holder.command()));
      return new DeclaredMemory(text, holder, name, windows, memory);
    } catch (StrictJson.MalformedException malformed) {
      throw unusable(file, holder, 0, malformed.getMessage());
    } catch (UnusableException problem) {
      throw unusable(file, holder, 0, problem.getMessage());
    } catch (ErrnoException failure) {
      throw unusable(file, holder, failure.errno(), failure.getMessage());
    } finally {
      if (!complete) {
        memory.forEach(Descriptor::close);
      }
    }
  }

  private static void requireProtocol(JsonNode declaration) throws UnusableException {
    if (!StrictJson.isNumber(declaration, "protocol", DeclaredWindows.PROTOCOL)) {
      throw new UnusableException(
          "it says "
              + (declaration.has("protocol")
                  ? "protocol " + declaration.path("protocol")
                  : "no protocol")
              + ", and this agent knows "
              + DeclaredWindows.PROTOCOL);
    }
  }

  /** The declaration; empty where there is no file, and not where there is nothing in it. */
  private static Optional<GuardedFile> text(Path file, Holder holder) throws IOException {
    GuardedFile read;
    try {
      read = GuardedFile.read(file, MAX_BYTES);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOENT)) {
        return Optional.empty();
      }
      throw unusable(file, holder, failure.errno(), failure.getMessage());
    } catch (IOException failure) {
      throw unusable(file, holder, 0, failure.getMessage());
    }
    if (read.owner() != ROOT && read.owner() != holder.user()) {
      throw unusable(
          file,
          holder,
          Errno.EPERM.number(),
          "it belongs to user " + read.owner() + " and the workload runs as " + holder.user());
    }
    return Optional.of(read);
  }

  private static Descriptor duplicate(ProcessDescriptor process, Declared window)
      throws IOException, UnusableException {
    String name = window.shape().name();
    JsonNode number = window.declaration().path("fd");
    if (!number.isInt() || number.intValue() < 0) {
      throw new UnusableException("window " + name + ": fd must be a number from 0 on");
    }
    try {
      return process.duplicate(number.intValue());
    } catch (ErrnoException failure) {
      if (failure.is(Errno.EBADF)) {
        throw new UnusableException(
            "window " + name + ": the workload has no file descriptor " + number.intValue());
      }
      throw failure;
    }
  }

  private static void requireUsable(Descriptor memory, Declared window)
      throws IOException, UnusableException {
    String name = "window " + window.shape().name() + ": ";
    if (OpenFile.onlyNames(memory)) {
      throw new UnusableException(
          name
              + "its descriptor was opened with O_PATH: it names a file that the workload need not"
              + " be allowed to read; declare one that is open for reading");
    }
    if (!OpenFile.readable(memory)) {
      throw new UnusableException(name + "its file is not open for reading");
    }
    if (!OpenFile.isMemory(memory)) {
      throw new UnusableException(
          name
              + "its file "
              + OpenFile.name(memory)
              + " is neither in tmpfs, where a memfd is too, nor in hugetlbfs; only memory is"
              + " moved, because other files may be slow or never answer while the workload stands"
              + " still");
    }
    long size = OpenFile.regularFileSize(memory);
    if (size < window.shape().size()) {
      throw new UnusableException(
          name + "its file has " + size + " bytes and the window has " + window.shape().size());
    }
  }

  private static WorkloadException unusable(Path file, Holder holder, int errno, String why) {
    return new WorkloadException(
        errno,
        "the memory of "
            + holder.name()
            + ", which holds the device "
            + holder.device().id()
            + ", is declared in "
            + file
            + " in a way that cannot be used: "
            + why
            + ". Nothing was done to the workload or the device; mend the declaration.",
        null);
  }

  /** Whether it is still the same file, and the same process holds the device. */
  boolean isStill(Path file, Holder holder) throws IOException {
    return holder.is(process, startTime) && source.equals(text(file, holder));
  }

  /** The workload's name as it says, or its command. */
  String workload() {
    return workload;
  }

  /** The windows, whose files are there until this is closed. */
  List<DmaWindow> windows() {
    return windows;
  }

  @Override
  public void close() {
    memory.forEach(Descriptor::close);
  }
}
