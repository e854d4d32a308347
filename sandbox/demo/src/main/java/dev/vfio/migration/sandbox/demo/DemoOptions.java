package dev.vfio.migration.sandbox.demo;

import dev.vfio.migration.sandbox.cluster.options.CommandLineReader;
import dev.vfio.migration.sandbox.cluster.options.SizeOption;
import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;

/**
 * What the user asked of {@code ./demo}; {@code usage.txt} of this module is what the script prints
 * of it.
 *
 * @param keep leave the cluster up at the end
 * @param stateSize bytes of device state
 * @param dirtyRate bytes of device state per second that the device makes dirty
 * @param downtimeLimit a Go-style duration for spec.convergence.downtimeLimit, or empty for what
 *     the example says
 * @param cancelAt device state of the source in which the migration is cancelled, if any
 * @param failAt device state in which a device fails, if any
 */
public record DemoOptions(
    boolean keep,
    long stateSize,
    long dirtyRate,
    Optional<String> downtimeLimit,
    Optional<SourceState> cancelAt,
    Optional<FailingState> failAt) {

  /** Where a migration can still be cancelled. */
  public enum SourceState {
    SETUP,
    PRECOPY,
    STOPNCOPY
  }

  /** Where a device can be made to fail. */
  public enum FailingState {
    SETUP(true),
    PRECOPY(true),
    STOPNCOPY(true),
    RESUME(false),
    RESUME_COMPLETED(false);

    private final boolean atSource;

    FailingState(boolean atSource) {
      this.atSource = atSource;
    }

    /** Whether it is the source's device that fails. */
    public boolean atSource() {
      return atSource;
    }
  }

  private static final long MIN_STATE = 1L << 10;
  private static final long MAX_STATE = 8L << 30;
  private static final long MAX_LIMIT_MILLIS = 600_000;
  private static final Pattern DURATION_PART = Pattern.compile("(\\d{1,9})(ms|s|m)");

  /** The command line as it was given. */
  static final class Given {
    @Option(names = "--keep")
    private boolean keep;

    @Option(names = "--state-size")
    private String stateSize = "128MiB";

    @Option(names = "--dirty-rate")
    private String dirtyRate = "8MiB";

    @Option(names = "--downtime-limit")
    private Optional<String> downtimeLimit = Optional.empty();

    @Option(names = "--cancel-at")
    private SourceState cancelAt;

    @Option(names = "--fail-at")
    private FailingState failAt;
  }

  /**
   * Reads the arguments.
   *
   * @throws WrongOptionException where one is unknown, lacks its value, or has one out of range
   */
  public static DemoOptions parse(String... arguments) throws WrongOptionException {
    Given given = CommandLineReader.read(new Given(), arguments);
    if (given.cancelAt != null && given.failAt != null) {
      throw new WrongOptionException(
          "--cancel-at and --fail-at exclude each other: a migration ends once");
    }
    if (given.downtimeLimit.isPresent()) {
      checkDuration("--downtime-limit", given.downtimeLimit.get());
    }
    return new DemoOptions(
        given.keep,
        SizeOption.between("--state-size", given.stateSize, MIN_STATE, MAX_STATE),
        SizeOption.between("--dirty-rate", given.dirtyRate, 0, MAX_STATE),
        given.downtimeLimit,
        Optional.ofNullable(given.cancelAt),
        Optional.ofNullable(given.failAt));
  }

  private static void checkDuration(String option, String text) throws WrongOptionException {
    Matcher matcher = DURATION_PART.matcher(text);
    long millis = 0;
    int end = 0;
    while (matcher.find() && matcher.start() == end) {
      long number = Long.parseLong(matcher.group(1));
      millis +=
          switch (matcher.group(2)) {
            case "m" -> number * 60_000;
            case "s" -> number * 1000;
            default -> number;
          };
      end = matcher.end();
    }
    if (end != text.length()) {
      throw new WrongOptionException(
          option + ": '" + text + "' is no duration; a duration is like 300ms, 2s or 1m30s");
    }
    if (millis < 1 || millis > MAX_LIMIT_MILLIS) {
      throw new WrongOptionException(option + ": " + text + " is out of range, 1ms to 10m");
    }
  }
}
