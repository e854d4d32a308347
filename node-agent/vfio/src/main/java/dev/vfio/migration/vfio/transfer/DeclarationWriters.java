package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.linux.GuardedFile;
import dev.vfio.migration.vfio.workload.DeclaredWindows.UnusableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Whether the process that holds a device wrote the declaration beside it, or an earlier one did,
 * whose descriptor numbers mean nothing any more. A process is known by its number and by the clock
 * ticks from the machine's start to its own; times of day, which anybody sets, say nothing.
 *
 * <p>Of a declaration that does not name its writer only this is known: it is not the holder's
 * where this agent saw the very same file while another process held the device. Safe for use by
 * several threads.
 */
final class DeclarationWriters {
  private static final System.Logger LOG = System.getLogger(DeclarationWriters.class.getName());

  private final Map<Path, Seen> seen = new ConcurrentHashMap<>();

  /** A declaration without a writer's name, and who held the device when it was first seen. */
  private record Seen(GuardedFile file, long process, long startTime) {
    boolean isWith(Holder holder) {
      return holder.is(process, startTime) || holder.together().contains(process);
    }
  }

  /**
   * Makes sure that the holder wrote it, as far as can be told.
   *
   * @param path of the declaration, for each device another
   * @param declaration what is in the file
   */
  void require(
      Path path, GuardedFile file, JsonNode declaration, Holder holder, Processes processes)
      throws IOException, UnusableException {
    if (declaration.has("pid") || declaration.has("startTicks")) {
      seen.remove(path);
      requireNamed(declaration, holder, processes);
      return;
    }
    Seen now = new Seen(file, holder.process(), holder.startTime());
    Seen first =
        seen.compute(
            path, (key, known) -> known != null && known.file().equals(file) ? known : now);
    if (!first.isWith(holder)) {
      throw new UnusableException(
          "it is still the file that was there while process "
              + first.process()
              + " held the device, so that an earlier process wrote it. Write it anew from the one"
              + " that holds the device, with its \"pid\" and \"startTicks\"");
    }
    if (first == now) {
      // Devices come and go: whatever is put where a file is gone is another file.
      seen.keySet().removeIf(known -> Files.notExists(known, LinkOption.NOFOLLOW_LINKS));
      LOG.log(
          System.Logger.Level.INFO,
          path
              + " does not say which process wrote it (pid, startTicks): it counts as written by "
              + holder.name()
              + ", which holds the device, and whether an earlier process wrote it is not known.");
    }
  }

  /** How many declarations without a writer's name are remembered. */
  int remembered() {
    return seen.size();
  }

  private static void requireNamed(JsonNode declaration, Holder holder, Processes processes)
      throws IOException, UnusableException {
    JsonNode pid = declaration.path("pid");
    JsonNode startTicks = declaration.path("startTicks");
    if (!pid.isInt() || pid.intValue() < 1 || !startTicks.isIntegralNumber()) {
      throw new UnusableException(
          "it must say both \"pid\" and \"startTicks\" of the process that wrote it, as numbers, or"
              + " neither; it says pid "
              + pid
              + " and startTicks "
              + startTicks);
    }
    for (long process : holder.together()) {
      OptionalLong started = processes.startTime(process);
      if (started.isPresent()
          && startTicks.canConvertToLong()
          && started.getAsLong() == startTicks.longValue()
          && processes.numbers(process).contains(pid.longValue())) {
        return;
      }
    }
    throw new UnusableException(
        "it was written by the process "
            + pid
            + " that was started "
            + startTicks
            + " clock ticks after the machine, and the device is held by process "
            + holder.process()
            + " (in its own process namespaces "
            + processes.numbers(holder.process())
            + "), which was started "
            + holder.startTime()
            + " ticks after it, so that an earlier one wrote it");
  }
}
