package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * The machine that a guest runs on: one process of QEMU, to which happens what happens to machines.
 * Used by one thread.
 *
 * @param guest what runs on it
 * @param script {@code guests/machines}, which knows how it was started
 * @param work folder with its pid
 */
record GuestMachine(Guest guest, Path script, Path work) {
  /** Booting takes some 10 s where the machine is idle. */
  private static final Duration BOOT_BOUND = Duration.ofMinutes(4);

  /** SIGKILL, as if its power were cut; returns when nothing of it is left. */
  void kill() throws IOException, InterruptedException {
    script("kill");
  }

  /** Boots it with nothing of what it had; returns when it takes commands. */
  void boot() throws IOException, InterruptedException {
    script("boot");
    guest.reconnect(BOOT_BOUND);
  }

  /** SIGSTOP: it stands still, and its clock does. */
  void suspend() throws IOException, InterruptedException {
    script("suspend");
  }

  /** SIGCONT. */
  void proceed() throws IOException, InterruptedException {
    script("proceed");
  }

  /** It alone knows which process is ours: a pid may have been given to another since. */
  private void script(String command) throws IOException, InterruptedException {
    Path log = work.resolve("machines.log");
    Process process =
        new ProcessBuilder(script.toString(), command, guest.name())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    if (!process.waitFor(BOOT_BOUND.toSeconds(), TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new GuestException("guest %s: no end of '%s'".formatted(guest.name(), command));
    }
    if (process.exitValue() != 0) {
      throw new GuestException(
          "guest %s: '%s' failed: %s".formatted(guest.name(), command, Files.readString(log)));
    }
  }
}
