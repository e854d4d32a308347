package dev.vfio.migration.vfio.transfer;

import java.time.Duration;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;

/**
 * Log lines about who connects to one device's socket, which whoever reaches it can bring about: so
 * many in a while, and with the first one after it how many were not written. For one thread.
 */
final class ConnectionLog {
  static final int LINES = 20;
  static final Duration PERIOD = Duration.ofSeconds(30);

  private final String device;
  private final BiConsumer<System.Logger.Level, String> log;
  private final LongSupplier nanoTime;
  private long start;
  private int lines;

  /**
   * @param log where the lines go
   * @param nanoTime as {@link System#nanoTime()} counts
   */
  ConnectionLog(String device, BiConsumer<System.Logger.Level, String> log, LongSupplier nanoTime) {
    this.device = device;
    this.log = log;
    this.nanoTime = nanoTime;
    this.start = nanoTime.getAsLong();
  }

  void warn(String line) {
    write(System.Logger.Level.WARNING, line);
  }

  void info(String line) {
    write(System.Logger.Level.INFO, line);
  }

  void debug(String line) {
    write(System.Logger.Level.DEBUG, line);
  }

  void write(System.Logger.Level level, String line) {
    long now = nanoTime.getAsLong();
    if (now - start >= PERIOD.toNanos()) {
      if (lines > LINES) {
        log.accept(
            System.Logger.Level.WARNING,
            (lines - LINES)
                + " more lines about connections to the socket of "
                + device
                + " were not written; see which process connects there all the time");
      }
      start = now;
      lines = 0;
    }
    lines++;
    if (lines <= LINES) {
      log.accept(level, line);
    }
  }
}
