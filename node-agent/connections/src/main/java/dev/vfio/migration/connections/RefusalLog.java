package dev.vfio.migration.connections;

import io.micrometer.core.instrument.Metrics;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * Says which connections a port refused, and never lets whoever is refused fill the log: of each
 * reason so many lines in a while, then one that says how many more there were. All of them are
 * counted in the metric {@code vfio.migration.connections.refused}. Thread-safe.
 */
public final class RefusalLog {
  /** Lines of each reason in each {@link #PERIOD}. */
  static final int LINES = 5;

  static final Duration PERIOD = Duration.ofSeconds(30);

  private final String port;
  private final Consumer<String> lines;
  private final BiConsumer<Duration, Runnable> later;
  private final Map<String, Integer> refused = new HashMap<>();

  /**
   * @param port for people and for the metric: "state", "control", "health"
   * @param logger where the lines go, as warnings
   */
  public RefusalLog(String port, Logger logger) {
    this(
        port,
        logger::warn,
        (delay, task) ->
            GlobalEventExecutor.INSTANCE.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS));
  }

  /**
   * @param later runs a task after a time
   */
  RefusalLog(String port, Consumer<String> lines, BiConsumer<Duration, Runnable> later) {
    this.port = port;
    this.lines = lines;
    this.later = later;
  }

  /**
   * A connection was refused.
   *
   * @param reason one of a few, never what a caller said: each is limited and counted by itself
   * @param line for people; only asked for where it is written
   */
  public void refused(String reason, Supplier<String> line) {
    Metrics.counter("vfio.migration.connections.refused", "port", port, "reason", reason)
        .increment();
    int number;
    synchronized (this) {
      number = refused.merge(reason, 1, Integer::sum);
    }
    if (number == 1) {
      later.accept(PERIOD, () -> periodEnds(reason));
    }
    if (number <= LINES) {
      lines.accept(line.get());
    }
  }

  private void periodEnds(String reason) {
    int number;
    synchronized (this) {
      number = refused.remove(reason);
    }
    if (number > LINES) {
      lines.accept(
          String.format(
              "%s more connections to the %s port were refused within %s s (%s); no line was"
                  + " written for each of them",
              number - LINES, port, PERIOD.toSeconds(), reason));
    }
  }
}
